"""File names that break scripts, terminals, databases and other operating systems. The pictures in them are good."""

from tests.hostile.case import Case, png

_DONE: list[bytes] = [
    b"-rf.png",
    b"--help.png",
    b"a b  c.png",
    b" leading.png",
    b"trailing .png",
    b"dots...png",
    b"'quoted'.png",
    b'"double".png',
    b"back\\slash.png",
    b"per%cent %s %d.png",
    b"{brace}{0.__class__}.png",
    b"$(touch owned).png",
    b"`touch owned`.png",
    b"; rm -rf .png",
    b"a|b>c<d.png",
    b"star*?.png",
    b"colon:stream.png",
    b"<script>alert(1)<.png",
    b"[markup]bold[-markup].png",
    b"new\nline.png",
    b"carriage\rreturn.png",
    b"tab\tname.png",
    b"bell\x07.png",
    b"escape\x1b[31mred.png",
    b"del\x7f.png",
    "c1\u009b31m.png".encode(),
    "\u202egnp.exe.png".encode(),
    "rtl \u05e9\u05dc\u05d5\u05dd.png".encode(),
    "zero\u200bwidth.png".encode(),
    "line\u2028separator.png".encode(),
    "\ufeffbom.png".encode(),
    "emoji \U0001f431\u200d\U0001f464.png".encode(),
    "\U000e0001tag.png".encode(),
    "caf\u00e9.png".encode(),
    "\u65e5\u672c\u8a9e.png".encode(),
    "\u200b.png".encode(),
    b"bytes \xff\xfe.png",
    b"\xe9t\xe9.png",
    b"half \xc3.png",
    b"CON.png",
    b"nul.png",
    b"aux.tar.png",
    b"LPT1.png",
    "COM\u00b9.png".encode(),
    b"con .png",
    b"' or 1=1; drop table jobs; --.png",
    b"folder.yaml.png",
    b"x.job.yaml.png",
    b"PAUSE.png",
    b"n" * 251 + b".png",
    b"m" * 250 + b".png",
    ("\u00e9" * 125).encode() + b"x.png",
    ("\U0001f600" * 62).encode() + b".png",
    b"b" * 100 + b"\xff" * 150 + b".png",
]
"""Made as they are."""

_TWINS: list[bytes] = [
    "tw\u00efn.png".encode(),
    "twi\u0308n.png".encode(),
    b"IMG.png",
    b"img.png",
    b"stra\xc3\x9fe.png",
    b"strasse.png",
    b"under_score.png",
    b"under:score.png",
    b"x\xff.png",
    b"x\xfe.png",
]
"""Different here, the same on some other disk."""

_BROKEN: list[bytes] = [
    b"broken new\nline.png",
    b"broken escape\x1b[31m.png",
    "broken \u202egnp.png".encode(),
    b"broken bytes \xff.png",
    b"broken bytes \xfe.png",
    b"q" * 251 + b".png",
    b"q" * 250 + b"p.png",
    ("\u00e9" * 120).encode() + b"broken.png",
    b"broken % {0} $(id).png",
]
"""Not pictures: the reason beside them has to be written under such a name."""

_IGNORED: list[bytes] = [
    b".hidden.png",
    b"....png",
    b"._resource.png",
    b"upload.png.part",
    b"movie.png.crdownload",
    b"~$office.png",
    b"#autosave.png#",
    b"old.error.txt",
    b"Thumbs.db",
    b"desktop.ini",
]
_STRANGERS: list[bytes] = [
    b"archive.zip",
    b"README",
    b"program.exe",
    b"raw.cr2",
    b"film.mp4",
    b"model.safetensors",
    b"x.png.exe",
]


def cases() -> list[Case]:
    found = [Case({name: png(20, 20 + number)}, "done", folder=b"upscale/names") for number, name in enumerate(_DONE)]
    found += [Case({name: png(21, 20 + number)}, "done", folder=b"upscale/twins") for number, name in enumerate(_TWINS)]
    found += [Case({name: b"no picture %d" % number}, says=("picture",), folder=b"upscale/bad")
              for number, name in enumerate(_BROKEN)]  # fmt: skip
    found += [Case({name: png(8, 8)}, "ignored", folder=b"upscale/names") for name in [*_IGNORED, *_STRANGERS]]
    deep = "wei\u202erd\n dir \x1b[31m/\udcff".encode("utf-8", "surrogateescape")
    found.append(Case({b"inside.png": png(22, 22)}, "done", folder=b"upscale/" + deep))
    found.append(Case({b"broken inside.png": b"no"}, folder=b"upscale/" + deep, says=("broken inside.png",)))
    found.append(Case({b"lost.png": png(22, 23)}, "waits", ("has no kind of job",), folder=b"not a kind \x1b[31m"))
    found.append(Case({b"lost.mask.png": png(22, 24)}, "waits", ("waits for lost.png",), folder=b"upscale/gone"))
    return found
