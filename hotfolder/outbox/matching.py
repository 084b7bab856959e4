"""Which picture each file of outbox is: by its signature, which a move keeps; else by the id in it; else by its pixels.

Of several files that are one picture its row belongs to the one that lay there first, as long as that is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hotfolder.catalog import pictures
from hotfolder.catalog.store import Reader
from hotfolder.outbox.looking import Look


@dataclass(frozen=True)
class Stranger:
    """A picture in outbox that is no row's: somebody's own, or a copy. `pixel_sha256` is None while not needed."""

    signature: str
    id: str | None
    size: tuple[int, int]
    pixel_sha256: str | None


@dataclass(frozen=True)
class Deed:
    """One change to the catalog: a picture is `here` now, moved or changed; `overwritten` by another; `back` again,
    or new; or `taken away`. `said` is what its file says, None where it was not read."""

    what: str
    id: str
    path: str = ""
    signature: str | None = None
    said: dict[str, Any] | None = None


class Matching:
    """Finds out about one look. As long as there is something `wanted`, have it read and `take` the answers; then ask
    for the `deeds`. `max_pixels` is what is decoded at most, and any picture of its row's size."""

    def __init__(
        self, catalog: Reader, look: Look, strangers: dict[str, Stranger], at_most: int, max_pixels: int
    ) -> None:
        self.look = look
        self.strangers: dict[str, Stranger] = {}
        self.is_complete = True
        self._catalog, self._max_pixels = catalog, max_pixels
        self._rows = {row.id: row for row in (*look.gone, *look.changed)}
        self._gone = {row.id for row in look.gone}
        self._at = {row.path: row for row in look.changed}
        self._answers: dict[str, dict[str, Any] | None] = {}
        self._placed: set[str] = set()
        self._deeds: list[Deed] = []
        if look.gone and strangers:
            look.files |= {path: strangers[path].signature for path in self._may_be_gone_ones(strangers)}
        self._place_by_signature()
        self._to_read = sorted(look.files)[:at_most]
        self.is_complete = len(look.files) <= at_most

    @property
    def unfound(self) -> set[str]:
        """The pictures whose file is not there, and no other file is one of them."""
        return self._gone - self._placed

    def wanted(self) -> dict[str, int]:
        """Return the files to be read, each with up to how many pixels it is decoded, 0 for not."""
        unread = dict.fromkeys((path for path in self._to_read if path not in self._answers), 0)
        if unread:
            return unread
        sizes = {(row.width, row.height) for row in map(self._rows.__getitem__, self.unfound)}
        return {
            path: max(self._max_pixels, said["width"] * said["height"] if said["id"] else 0)
            for path, said in self._answers.items()
            if said and "pixel_sha256" not in said and self._needs_pixels(said, sizes)
        }

    def take(self, path: str, said: dict[str, Any] | None) -> None:
        """Note what a file says; None where it could not be read this time."""
        self._answers[path] = said

    def deeds(self) -> list[Deed]:
        """Return what is to be changed; what nothing is known of yet is left for the next look."""
        for path, said in sorted(self._answers.items(), key=lambda one: not self._has_its_name(*one)):
            if said is None:
                self.is_complete = False
            elif said["id"] is None:
                self._place_without_id(path, said)
            else:
                self._place(path, said)
        return self._deeds

    def _may_be_gone_ones(self, strangers: dict[str, Stranger]) -> Iterator[str]:
        rows = [self._rows[number] for number in self._gone]
        bases, sizes = {_base(row.signature) for row in rows}, {(row.width, row.height) for row in rows}
        for path, one in strangers.items():
            if one.id in self._gone or _base(one.signature) in bases or (one.id is None and one.size in sizes):
                if one.pixel_sha256 is None or self._unfound_with(one.pixel_sha256, path):
                    yield path

    def _place_by_signature(self) -> None:
        """Place what was only moved, unread. Where an .xmp came or went it is read at the next look."""
        bases = {_base(row.signature): row for row in self._rows.values() if row.signature}
        for path, signature in sorted(self.look.files.items()):
            row = bases.get(_base(signature))
            if row is None or row.path == path or row.id in self._placed:
                continue
            if row.job_id is None and pictures.review_of(path) == "keep":
                continue  # whether there is an `on_keep`, only the file itself knows
            self._placed.add(row.id)
            self._deeds.append(Deed("here", row.id, path, signature if signature == row.signature else None))
            del self.look.files[path]

    def _needs_pixels(self, said: dict[str, Any], sizes: set[tuple[int, int]]) -> bool:
        if said["id"] is None:
            return (said["width"], said["height"]) in sizes or said["path"] in self._at
        row = self._catalog.row("select sha256 from images where id=?", said["id"])
        return row is None or (said["id"] in self._rows and row["sha256"] != said["sha256"])

    def _place_without_id(self, path: str, said: dict[str, Any]) -> None:
        """Place a file whose metadata are gone: a changed one where a picture lay is that; else its pixels tell."""
        own = self._at.get(path)
        number = own.id if own and own.id not in self._placed else None
        if number is None and said.get("pixel_sha256"):
            number = self._unfound_with(said["pixel_sha256"], path)
        if number:
            self._put_here(number, path, said)
        else:
            self._note_stranger(path, said)

    def _unfound_with(self, pixel_sha256: str, path: str) -> str | None:
        """Return the picture that has these pixels and whose file is gone; of several the one that had this name."""
        found = self._catalog.rows("select id from images where pixel_sha256=?", pixel_sha256)
        rows = [self._rows[row["id"]] for row in found if row["id"] in self.unfound]
        name = PurePosixPath(path).name
        best = min(rows, key=lambda row: (PurePosixPath(row.path).name != name, row.id), default=None)
        return best and best.id

    def _place(self, path: str, said: dict[str, Any]) -> None:
        number, own = said["id"], self._at.get(path)
        if own and own.id == number:
            self._put_here(number, path, said)
            return
        is_known = self._catalog.row("select 1 from images where id=?", number)
        is_home = self._is_at_home(number) if is_known else None
        if is_known and is_home is None:
            self.is_complete = False
            return
        if is_known and not is_home:
            self._put_here(number, path, said)
            return
        if own and own.id not in self._placed:
            self._deeds.append(Deed("overwritten", own.id))
        if not is_known and said.get("facts") and number not in self._placed:
            self._placed.add(number)
            self._deeds.append(Deed("back", number, path, said["signature"], said))
        else:
            self._note_stranger(path, said)

    def _has_its_name(self, path: str, said: dict[str, Any] | None) -> bool:
        """Say whether a file has the name that its picture had: of several copies that is the one that was moved."""
        row = self._rows.get(said["id"]) if said else None
        return row is not None and PurePosixPath(row.path).name == PurePosixPath(path).name

    def _is_at_home(self, number: str) -> bool | None:
        """Say whether a picture's file lies where its row says; None where that file could not be read."""
        row = self._rows.get(number)
        if row is None or number in self._placed:
            return True
        if number in self._gone:
            return False
        said = self._answers.get(row.path)
        return None if said is None else said["id"] in (None, number)

    def _put_here(self, number: str, path: str, said: dict[str, Any]) -> None:
        self._placed.add(number)
        self._deeds.append(Deed("here", number, path, said["signature"], said))

    def _note_stranger(self, path: str, said: dict[str, Any]) -> None:
        size = said["width"], said["height"]
        self.strangers[path] = Stranger(said["signature"], said["id"], size, said.get("pixel_sha256"))


def _base(signature: str | None) -> str | None:
    """Return a signature without what lies beside the picture; None where the system gives files no number."""
    base = (signature or "").partition(" + ")[0]
    return None if base.endswith(" 0") else base or None
