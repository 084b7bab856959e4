"""Job files and prompt files from a stranger. Each has a good picture beside it, so only the words are at fault."""

from tests.hostile.case import Case, png

_ALIASES = b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9 if n else [b"x"] * 9)) for n in range(9)
)
_MERGES = b"a0: &a0 {x: 1}\n" + b"".join(
    b"a%d: &a%d {<<: [%s]}\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9)
)

WORDS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    # name: (content, what the reason says besides the file's name)
    "aliases": (_ALIASES, ("line 1", "anchors")),
    "merges": (_MERGES, ("line 1", "anchors")),
    "merge key": (b"factor: 2\n<<: {factor: 3}\n", ("line 2", "merge keys")),
    "python tag": (b"note: !!python/object/apply:os.system ['touch owned']\n", ("line 1", "tags")),
    "own tag": (b"note: !secret x\n", ("line 1", "tags")),
    "binary tag": (b"note: !!binary aGFsbG8=\n", ("line 1", "tags")),
    "twice": (b"factor: 2\nfactor: 3\n", ("line 2", "twice")),
    "twice by alias": (b"name: a\nfilename: b\n", ("line 2", "mean the same")),
    "unknown": (b"\n\nfactr: 2\n", ("line 3", "did you mean `factor`?")),
    "unknown far": (b"zzzzqqq: 2\n", ("line 1", "unknown key `zzzzqqq`")),
    "dunder": (b"__class__: 1\n__init__: {}\n", ("line 1", "__class__")),
    "intake key": (b"settle_s: 0\n", ("line 1", "folder.yaml")),
    "options": (b"options: {factor: 2}\n", ("line 1", "options")),
    "text factor": (b"factor: large\n", ("line 1", "`factor` must be a number")),
    "quoted factor": (b"factor: '2'\n", ("line 1", "`factor`", "quotes")),
    "list factor": (b"factor: [2]\n", ("line 1", "`factor`")),
    "map factor": (b"factor: {a: 2}\n", ("line 1", "`factor`")),
    "true factor": (b"factor: true\n", ("line 1", "`factor`")),
    "digits": (b"priority: " + b"9" * 5_000 + b"\n", ("line 1", "digits")),
    "priority": (b"priority: 99999999999999999\n", ("line 1", "`priority`", "1000")),
    "quality": (b"quality: 101\n", ("line 1", "`quality`", "100")),
    "quality part": (b"quality: 92.5\n", ("line 1", "`quality` must be a whole number")),
    "format": (b"format: gif\n", ("line 1", "`format`", "png")),
    "format path": (b"format: ../../x\n", ("line 1", "`format`")),
    "keep": (b"keep_exif: maybe\n", ("line 1", "`keep_exif`", "true or false")),
    "long note": (b"note: " + b"x" * 20_000 + b"\n", ("line 1", "16,384")),
    "long name": (b"name: " + b"x" * 201 + b"\n", ("line 1", "`name`", "200")),
    "long tag": (b"tags: [" + b"x" * 201 + b"]\n", ("line 1", "tags")),
    "note escape": (b'note: "a\\u001b[31mred"\n', ("line 1", "control character")),
    "note raw": (b"note: a\x1b[31mred\n", ("line 1", "control character")),
    "note nul": (b'note: "a\\0b"\n', ("line 1", "control character")),
    "raw nul": (b"note: a\0b\n", ("line 1", "control character")),
    "latin": (b"factor: 2\nnote: caf\xe9\n", ("line 2", "UTF-8")),
    "utf16": ("factor: 2\n".encode("utf-16"), ("UTF-16",)),
    "utf32": ("factor: 2\n".encode("utf-32"), ("UTF",)),
    "binary": (bytes(range(256)) * 20, ("UTF-8",)),
    "picture": (png(8, 8), ("UTF-8",)),
    "html": (b"<!DOCTYPE html>\n<html><body>no</body></html>\n", ("line 1",)),
    "json broken": (b'{"factor": 2,,}\n', ("line 1",)),
    "list": (b"- factor: 2\n- factor: 3\n", ("line 1", "`key: value` lines", "---")),
    "scalar": (b"make it larger please\n", ("line 1", "`key: value` lines")),
    "tabs": (b"control:\n\ttype: canny\n", ("line 2", "tabs")),
    "unclosed quote": (b"note: 'it never ends\nfactor: 2\n", ("line 1", "quote")),
    "unclosed list": (b"tags: [a, b\nfactor: 2\n", ("line 1",)),
    "colon": (b"note: a: b\n", ("line 1",)),
    "indent": (b"factor: 2\n   note: x\n", ("line 2",)),
    "percent": (b"%YAML 9.9\n---\nfactor: 2\n", ("line 1",)),
    "deep": (b"note: " + b"[" * 500 + b"]" * 500 + b"\n", ("line 1", "nested")),
    "deep map": (b"".join(b" " * n + b"a:\n" for n in range(40)), ("nested",)),
    "wide": (b"tags: [" + b"a," * 5_000 + b"]\n", ("2,000",)),
    "documents": (b"---\nfactor: 2\n" * 1_500, ("2,000",)),
    "big": (b"# " + b"x" * 70_000 + b"\nfactor: 2\n", ("65,536",)),
    "huge": (b"x" * 1_100_000, ("1 MiB",)),
    "key is a list": (b"? [a, b]\n: 1\n", ("line 1", "key")),
    "number key": (b"1: 2\n", ("line 1", "key")),
    "null key": (b"null: 2\n~: 3\n", ("line 1",)),
    "long key": (b"k" * 900 + b": 1\n", ("line 1", "unknown key")),
    "control key": (b'"\\u202eabc": 1\n', ("line 1", "\\u202e")),
    "kind": (b"kind: hack\n", ("line 1", "unknown kind `hack`")),
    "kind path": (b"kind: ../../upscale\n", ("line 1", "unknown kind")),
    "kind list": (b"kind: [upscale]\n", ("line 1", "`kind`")),
    "later": (b"kind: generate\nprompt: x\nstyle: {weight: 0.5}\n", ("`style` comes later",)),
    "prompt": (b"prompt: a fox\n", ("line 1", "means nothing to `upscale`")),
    "model": (b"model: ../../../etc/passwd\n", ("model.png.yaml, line 1", "no model")),
    "model url": (b"model: https://evil.example/x.safetensors\n", ("no model",)),
    "model foreign": (b"model: flux1-schnell\n", ("no model", "lanczos")),
    "profile": (b"profile: ../../hotfolder\n", ("profile.png.yaml, line 1", "no profile")),
    "sha": (b"image_sha256: '%'\n", ("line 1", "image_sha256")),
    "face": (b"face: {image: x.png, strength: 900}\n", ("line 1", "face")),
    "steps list": (b"pipeline: run\n", ("line 1", "pipeline")),
    "format code": (b"note: '{0.__class__}'\nfactor: '{x}'\n", ("line 2", "`factor`")),
    "two wrongs": (b"factor: x\nqualitty: 3\nformat: doc\n", ("line 1", "line 2", "line 3")),
}

PLACES = {
    "passwd": b"../../../../../../etc/passwd",
    "rooted": b"/etc/passwd",
    "home": b"~/.ssh/id_rsa",
    "upwards": b"../../../outside/canary.png",
    "rooted canary": b"OUTSIDE/canary.png",
    "through a link": b"link to outside/canary.png",
    "a linked file": b"linked canary.png",
    "url": b"https://evil.example/x.png",
    "file url": b"file:///etc/passwd",
    "windows": b"C:\\Windows\\win.ini",
    "drive": b"C:/Windows/win.ini",
    "windows share": b"\\\\evil\\share\\x.png",
    "backslashes": b"..\\..\\..\\etc\\passwd",
    "loop": b"loop/x.png",
    "long": b"x" * 5_000 + b".png",
    "long parts": b"/".join([b"d" * 300] * 3) + b".png",
    "many parts": b"a/" * 4_000 + b"x.png",
}
"""Ways out of the workspace that `image:` may try; each is refused."""

GONE = {
    "missing": b"nowhere.png",
    "a folder": b".",
    "pipe": b"pipe",
    "bidi": b'"\\u202Egnp.exe"',
    "dotted": b"a/../b/../nowhere.png",
    "percent": b"'%2e%2e/%2e%2e/etc/passwd'",
}
"""Names inside the workspace where no picture is: a job waits for it."""

PRIVATE = {"private": b"../../../.hotfolder/work/x.png", "marker": b".hotfolder/marker"}
NOT_PICTURES = {"settings": b"hotfolder.yaml", "catalog": b"catalog.db", "itself": b"itself.yaml"}

PROMPTS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "binary.txt": (bytes(range(256)), ("binary.txt", "line")),
    "escape.txt": (b"a fox\n\x1b]0;owned\x07\n", ("escape.txt, line 2", "control character")),
    "latin.txt": (b"a fox\ncaf\xe9\n", ("latin.txt, line 2", "UTF-8")),
    "half.txt": (b"\xff\xfea", ("half.txt", "UTF-")),
    "huge.txt": (b"fox\n" * 300_000, ("huge.txt", "1 MiB")),
    "lines.txt": (b"fox\n" * 10_001, ("lines.txt", "10,000")),
    "long.txt": (b"fox " * 6_000, ("long.txt, line 1", "16,384")),
    "chain.txt": (b"[generate] fox\n[upscale] it\n", ("chain.txt, line 2", "upscale")),
    "braces.txt": (b"{a|{b|{c\n", ("not closed",)),
    "nested.txt": (b"{a|" * 40 + b"}" * 40, ("nested",)),
    "choices.txt": (b"{a|b}" * 3_000, ("choices",)),
    "choices in lines.txt": (b"{a|b|c|d} {e|f|g|h} {i|j}\n" * 9_000, ("choices",)),
    "wildcard.txt": (b"a __../../etc/passwd__ fox\n", ("wildcards/",)),
    "wildcard rooted.txt": (b"a __/etc/passwd__ fox\n", ("wildcards/",)),
    "picture.txt": (png(8, 8), ("picture.txt", "line 1")),
}


def cases() -> list[Case]:
    found = []
    for number, (title, (content, says)) in enumerate(WORDS.items()):
        name = f"{title}.png".encode()
        files = {name: png(8, 8 + number), name + b".yaml": content}
        found.append(Case(files, says=(f"{title}.png", *says),
                          folder=b"upscale/words"))  # fmt: skip
    for title, place in PLACES.items():
        found.append(
            Case(
                {f"{title}.yaml".encode(): b"image: " + place + b"\n"},
                says=(f"{title}.yaml, line 1", "workspace"),
                folder=b"upscale/places",
            )
        )
    for title, place in PRIVATE.items():
        found.append(
            Case(
                {f"{title}.yaml".encode(): b"image: " + place + b"\n"},
                says=(f"{title}.yaml, line 1", "hotfolder's own"),
                folder=b"upscale/places",
            )
        )
    for title, place in GONE.items():
        found.append(
            Case(
                {f"{title}.yaml".encode(): b"image: " + place + b"\n"}, "waits", ("waits for",), folder=b"upscale/gone"
            )
        )
    for title, place in NOT_PICTURES.items():
        found.append(
            Case({f"{title}.yaml".encode(): b"image: " + place + b"\n"}, says=("not a picture",), folder=b"upscale/no")
        )
    for name, (content, says) in PROMPTS.items():
        found.append(Case({name.encode(): content}, says=says, folder=b"generate"))
    return found
