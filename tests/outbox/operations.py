"""What people do in outbox, one thing at a time, and an account of what the catalog has to say afterwards.

The account is kept here from what was done, not read from the files.
"""

import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from hotfolder.metadata import xmp
from hotfolder.workspace import Workspace

HAS_EXIFTOOL = shutil.which("exiftool") is not None
NAMES = ["Ünïcode – 日本 🌊", "x" * 180, "two  blanks", "with.dots.in", "-dash", "Ωmega'quote"]
SIDECAR = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:Rating="{stars}">'
    "<dc:subject><rdf:Bag><rdf:li>{tag}</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    '<?xpacket end="w"?>'
)


class Exiftool:
    """One exiftool for many commands: to start it takes longer than what it does."""

    def __init__(self) -> None:
        command = ["exiftool", "-stay_open", "True", "-@", "-"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )

    def __call__(self, path: Path, *words: str) -> None:
        """Write into a picture; returns when that is done."""
        words = ("-overwrite_original", "-charset", "filename=utf8", *words, str(path), "-execute\n")
        self._process.stdin.write("\n".join(words))
        self._process.stdin.flush()
        said = list(iter(self._process.stdout.readline, "{ready}\n"))
        assert any("1 image files" in line for line in said), said

    def end(self) -> None:
        self._process.communicate("-stay_open\nFalse\n", timeout=120)


@dataclass
class Known:
    """One picture: where it lies and what is known of it; `inside` and `beside` are stars and tags by where they
    stand. `copies` are further files of it."""

    id: str
    path: Path
    inside: tuple[int | None, str | None] = (None, None)
    beside: tuple[int | None, str | None] | None = None
    copies: list[Path] = field(default_factory=list)
    has_id: bool = True
    is_there: bool = True
    seen_at: Path | None = None
    is_seen: bool = True
    """The catalog knows the file as it is now."""
    is_let_be: bool = False
    """It lies in an inbox, until hotfolder has put it back; or a further change would leave nothing to know it by."""

    @property
    def stars(self) -> int | None:
        return self.beside[0] if self.beside else self.inside[0]

    @property
    def tags(self) -> str | None:
        return self.beside[1] if self.beside else self.inside[1]


class Account:
    """The pictures of one outbox, and a hand that does things to them at random."""

    def __init__(self, workspace: Workspace, rows: list[dict[str, object]], seed: int) -> None:
        self.workspace, self.chance, self.done = workspace, random.Random(seed), 0
        self.exiftool = Exiftool() if HAS_EXIFTOOL else None
        self.pictures = [Known(str(row["id"]), workspace.absolute(str(row["path"]))) for row in rows]
        self.log: list[str] = []
        self.all_is_seen()

    def expected(self) -> dict[str, tuple[str, str | None, int | None, str | None]]:
        """Return path, review, stars and tags of each picture that is there, by its id."""
        found = {}
        for one in self.pictures:
            if one.is_there:
                path = self.workspace.relative(one.path)
                folders = [part.lower() for part in path.split("/")[1:-1] if part.lower() in ("keep", "reject")]
                found[one.id] = (path, folders[-1] if folders else None, one.stars, one.tags)
        return found

    def end(self) -> None:
        if self.exiftool:
            self.exiftool.end()

    def all_is_seen(self) -> None:
        for one in self.pictures:
            one.is_seen, one.is_let_be, one.seen_at = True, False, one.path

    def do_something(self) -> None:
        deeds = [self.move, self.move, self.rename, self.delete, self.copy, self.sidecar, self.edit, self.drag]
        if HAS_EXIFTOOL:
            deeds += [self.star, self.star, self.star_as_explorer, self.tag, self.strip]
        deed = self.chance.choice(deeds)
        living = [one for one in self.pictures if one.is_there and not one.is_let_be]
        if deed == self.delete and len(living) < 12:
            deed = self.move
        one = self.chance.choice(living)
        self.done += 1
        self.log.append(f"{deed.__name__} {self.workspace.relative(one.path)}")
        deed(one)

    def move(self, one: Known) -> None:
        day = self.workspace.outbox / "upscale" / "day"
        places = [one.path.parent / "keep", one.path.parent / "Reject", day, day / "best of" / "all", day / "KEEP"]
        self._to(one, self.chance.choice(places) / one.path.name)

    def rename(self, one: Known) -> None:
        name = f"{self.chance.choice(NAMES)} {self.done}{one.path.suffix}"
        self._to(one, one.path.with_name(name))

    def _to(self, one: Known, target: Path) -> None:
        if target.exists() or target.parent.name == one.path.parent.name != target.name:
            target = target.with_name(f"{target.stem[:150]} {self.done}{target.suffix}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if one.beside:
            Path(f"{one.path}.xmp").rename(f"{target}.xmp")
        one.path.rename(target)
        one.path = target

    def delete(self, one: Known) -> None:
        """Delete the picture; where there is a copy, that is the picture from now on."""
        one.path.unlink()
        Path(f"{one.path}.xmp").unlink(missing_ok=True)
        one.beside = None
        if one.copies:
            one.path, one.is_seen = one.copies.pop(), False
        else:
            one.is_there = False

    def copy(self, one: Known) -> None:
        """Copy as it is; only one whose stars and tags stand in itself, so that the copy says the same, and that is as
        the catalog saw it: written and renamed, it could not be told from its copy."""
        if one.beside or one.copies or not one.has_id or not one.is_seen:
            return self.move(one)
        target = one.path.with_name(f"copy {self.done}{one.path.suffix}")
        shutil.copyfile(one.path, target)
        one.copies.append(target)
        return None

    def star(self, one: Known) -> None:
        stars = self.chance.randrange(6)
        self.exiftool(one.path, f"-XMP-xmp:Rating={stars}")
        self._write(one, stars=stars)

    def star_as_explorer(self, one: Known) -> None:
        """Windows writes stars into XMP and both EXIF fields."""
        stars = self.chance.randrange(1, 6)
        percent = {1: 1, 2: 25, 3: 50, 4: 75, 5: 99}[stars]
        self.exiftool(one.path, f"-XMP-xmp:Rating={stars}", f"-IFD0:Rating={stars}", f"-IFD0:RatingPercent={percent}")
        self._write(one, stars=stars)

    def tag(self, one: Known) -> None:
        self.exiftool(one.path, f"-XMP-dc:Subject=sea {self.done}", "-XMP-dc:Subject=night")
        self._write(one, tags=f"sea {self.done}, night")

    def _write(self, one: Known, stars: int | None = None, tags: str | None = None) -> None:
        """Note what was written into the file; a copy that was made before does not say it."""
        before_stars, before_tags = one.inside
        one.inside = (before_stars if stars is None else stars, before_tags if tags is None else tags)
        self._forget_copies(one)

    def _forget_copies(self, one: Known) -> None:
        one.is_seen = False
        for path in one.copies:
            path.unlink()
        one.copies = []

    def sidecar(self, one: Known) -> None:
        """Write what digiKam writes beside a picture."""
        stars, tag = self.chance.randrange(6), f"tag {self.done}"
        text = SIDECAR.format(stars=stars, tag=tag)
        assert xmp.is_whole(text.encode())
        beside = Path(f"{one.path}.xmp")
        beside.write_text(text[: len(text) // 2])  # a program that is slow to write
        beside.write_text(text)
        one.beside = (stars, tag)
        self._forget_copies(one)

    def strip(self, one: Known) -> None:
        """Take all metadata out; stars and tags that the catalog has are not taken back by that."""
        if not one.is_seen:
            return self.move(one)
        self.exiftool(one.path, "-all=")
        one.has_id = False
        self._forget_copies(one)
        return None

    def edit(self, one: Known) -> None:
        """Paint into the picture with a program that knows nothing of metadata."""
        if not one.is_seen or one.path != one.seen_at:
            return self.move(one)
        with Image.open(one.path) as image:
            image.load()
            form = image.format
        image.putpixel((self.chance.randrange(image.width), 0), (self.done % 256, 7, 7))
        aside = one.path.with_name(".aside")
        Image.frombytes(image.mode, image.size, image.tobytes()).save(aside, form)
        aside.replace(one.path)
        one.has_id, one.is_let_be = False, True
        self._forget_copies(one)
        return None

    def drag(self, one: Known) -> None:
        """Move the picture into an inbox, where it waits for its words; the place the catalog knows is to stay."""
        if one.beside or not one.is_seen or one.path != one.seen_at:
            return self.move(one)
        one.is_let_be = True
        one.path.rename(self.workspace.inbox / "edit" / f"dragged {self.done}{one.path.suffix}")
        return None
