"""Many small pictures on one sheet, with words at their edges: for comparing what belongs together.

The letters are those that Pillow ships (Aileron, CC0): Latin ones; no font of the system is looked for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from hotfolder.images.colour import on_white
from hotfolder.images.lengths import within

MAX_EDGE_PX = 16_000
"""Longest edge of a sheet: what a WebP file can have, with some room for the words."""
MAX_PIXELS = 64_000_000
LARGEST_PX, SMALLEST_PX = 512, 32
"""The longest edge of one picture on a sheet."""
NARROWEST_PX = 72
"""What a label has, however small its picture is: a seed on one line. On a sheet of very many columns it has less."""
GAP_PX = 8
WHITE, BLACK, GREY, RED = (255, 255, 255), (0, 0, 0), (236, 236, 236), (160, 0, 0)
MAX_LINES = 4
"""Of a label; more is cut."""


@dataclass(frozen=True)
class Cell:
    """One place. Below its picture stands the text; without a picture the text is why there is none."""

    image: Image.Image | None
    text: str = ""


def across(count: int, columns: int) -> int:
    """Return how many pictures stand side by side: as many as there are columns, else so that a square comes out."""
    return columns or max(1, math.ceil(math.sqrt(count)))


def edge_px(count: int, beside: int, pixels: int = MAX_PIXELS) -> int:
    """Return the longest edge of each of `count` pictures, `beside` of them side by side, so that the sheet can be
    saved in every format and they have at most so many pixels together."""
    below = math.ceil(count / beside)
    room = (MAX_EDGE_PX - 1_500) // max(beside, 2 * below) - GAP_PX if below > beside else MAX_EDGE_PX // beside
    area = math.isqrt(pixels // (beside * below))
    return max(SMALLEST_PX, min(LARGEST_PX, room - GAP_PX, area))


def thumbnail(image: Image.Image, edge: int) -> Image.Image:
    """Return a picture for a sheet: mode RGB, on white where it has alpha, at most `edge` pixels long, never larger."""
    premultiplied = image.convert("RGBa") if image.mode == "RGBA" else image
    small = premultiplied.resize(within(image.size, edge), Image.Resampling.LANCZOS)
    return on_white(small.convert("RGBA")) if image.mode == "RGBA" else small.convert("RGB")


def draw(
    cells: Sequence[Cell],
    columns: Sequence[str] = (),
    rows: Sequence[str] = (),
    blocks: Sequence[str] = (),
) -> Image.Image:
    """Return the sheet, mode RGB.

    Args:
        cells: block after block, in each row after row; their pictures as `thumbnail` gives them.
        columns: what stands above each column; none: as many columns as make a square.
        rows: what stands before each row of a block.
        blocks: what stands above each block; none: there is one.
    """
    return _Sheet(cells, columns, rows, blocks).drawn()


class _Sheet:
    """Measures everything once, then draws."""

    def __init__(
        self, cells: Sequence[Cell], columns: Sequence[str], rows: Sequence[str], blocks: Sequence[str]
    ) -> None:
        self.cells, self.columns, self.rows, self.blocks = cells, columns, rows, blocks
        self.beside = across(len(cells), len(columns))
        self.below = len(rows) or math.ceil(len(cells) / self.beside / max(1, len(blocks)))
        sizes = [cell.image.size for cell in cells if cell.image] or [(LARGEST_PX // 2, LARGEST_PX // 2)]
        least = min(NARROWEST_PX, MAX_EDGE_PX // self.beside - GAP_PX)
        self.wide, self.high = max(least, *(wide for wide, _ in sizes)), max(high for _, high in sizes)
        self.font = ImageFont.load_default(min(24, max(11, max(self.wide, self.high) // 18)))
        top, bottom = self.font.getbbox("Ålg")[1::2]
        self.line = int(bottom - min(0, top)) + 2
        widest = max((self.font.getlength(text) for text in rows), default=0)
        before = min(int(widest) + 1, max(120, self.wide // 2))
        self.left = before + 2 * GAP_PX if rows else GAP_PX
        self.before = before
        self.above = self._height(columns, self.wide)
        self.under = self._height([cell.text for cell in cells if cell.image], self.wide)
        self.width = self.left + self.beside * (self.wide + GAP_PX)
        self.heading = self._height(blocks, self.width - 2 * GAP_PX)

    def drawn(self) -> Image.Image:
        step = self.high + self.under + GAP_PX
        block = self.heading + self.above + self.below * step
        count = max(1, len(self.blocks))
        sheet = Image.new("RGB", (self.width, GAP_PX + count * block + (count - 1) * 2 * GAP_PX), WHITE)
        pen = ImageDraw.Draw(sheet)
        for number in range(count):
            top = GAP_PX + number * (block + 2 * GAP_PX)
            if self.blocks:
                self._write(pen, (GAP_PX, top), self.blocks[number], self.width - 2 * GAP_PX)
            top += self.heading
            for place, text in enumerate(self.columns):
                self._write(pen, (self._x(place), top), text, self.wide)
            top += self.above
            for place, text in enumerate(self.rows):
                self._write(pen, (GAP_PX, top + place * step), text, self.before)
            size = self.beside * self.below
            for place, cell in enumerate(self.cells[number * size : (number + 1) * size]):
                self._put(sheet, pen, cell, (self._x(place % self.beside), top + place // self.beside * step))
        return sheet

    def _x(self, column: int) -> int:
        return self.left + column * (self.wide + GAP_PX)

    def _put(self, sheet: Image.Image, pen: ImageDraw.ImageDraw, cell: Cell, place: tuple[int, int]) -> None:
        x, y = place
        if cell.image is None:
            pen.rectangle((x, y, x + self.wide - 1, y + self.high - 1), fill=GREY)
            lines = max(1, (self.high - GAP_PX) // self.line)
            self._write(pen, (x + GAP_PX // 2, y + GAP_PX // 2), cell.text, self.wide - GAP_PX, lines, RED)
            return
        sheet.paste(cell.image, (x + (self.wide - cell.image.width) // 2, y + (self.high - cell.image.height) // 2))
        self._write(pen, (x, y + self.high + 2), cell.text, self.wide)

    def _write(
        self,
        pen: ImageDraw.ImageDraw,
        place: tuple[int, int],
        text: str,
        width: int,
        lines: int = MAX_LINES,
        colour: tuple[int, int, int] = BLACK,
    ) -> None:
        for number, line in enumerate(self._lines(text, width, lines)):
            pen.text((place[0], place[1] + number * self.line), line, colour, self.font)

    def _height(self, texts: Sequence[str], width: int) -> int:
        """Return the room that the longest of some texts takes."""
        most = max((len(self._lines(text, width)) for text in texts), default=0)
        return most * self.line + (GAP_PX // 2 if most else 0)

    def _lines(self, text: str, width: int, most: int = MAX_LINES) -> list[str]:
        """Break a text into lines of at most so many pixels, between words where that goes."""
        lines: list[str] = []
        for word in text.split():
            if lines and self.font.getlength(f"{lines[-1]} {word}") <= width:
                lines[-1] += f" {word}"
                continue
            while word and len(lines) <= most:
                fits = next((n for n in range(len(word), 1, -1) if self.font.getlength(word[:n]) <= width), 1)
                lines.append(word[:fits])
                word = word[fits:]
        if len(lines) > most:
            lines = lines[:most]
            lines[-1] = f"{lines[-1].rstrip()}…"
        return lines
