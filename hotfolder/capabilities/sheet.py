"""Put many pictures on one sheet with labels: the last job of a matrix, or of pictures that a job names."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from hotfolder.capabilities.base import Capability, Context, Result
from hotfolder.errors import BadSpec, Problem
from hotfolder.images import sheets
from hotfolder.spec import JobSpec, Options

MAX_PICTURES = 400

Labels = tuple[Annotated[str, Field(max_length=1_000)], ...]


class SheetOptions(Options):
    """What only sheet knows. A picture is numbered by its place in `pictures`, from 0."""

    pictures: Annotated[
        tuple[str, ...],
        Field(max_length=MAX_PICTURES, description="paths, row after row; an empty one is a place left free"),
    ] = ()
    columns: Annotated[Labels, Field(description="a word for each column; default as many as make a square")] = ()
    rows: Annotated[Labels, Field(description="a word for each row")] = ()
    blocks: Annotated[Labels, Field(description="a heading for each block of rows, one below the other")] = ()
    labels: Annotated[Labels, Field(description="a line below each picture")] = ()
    failed: Annotated[dict[str, str], Field(description="why a place is free, by its number")] = Field(
        default_factory=dict
    )


class Sheet(Capability):
    kind = "sheet"
    aliases = ("contact_sheet", "grid", "xyz_plot")
    uses = frozenset()
    ignores = frozenset({"model", "profile", "image_sha256", "keep_exif", "matrix", "contact_sheet"})
    source_type = "compositeSynthetic"

    Options = SheetOptions

    @classmethod
    def check(cls, spec: JobSpec, options: Any, image_size: tuple[int, int] | None) -> None:
        count = len(options.pictures)
        if not count:
            raise _wrong("pictures", "a sheet needs pictures: list their paths, such as `outbox/generate/fox.png`")
        beside, blocks = sheets.across(count, len(options.columns)), max(1, len(options.blocks))
        below = -(-count // beside)
        if options.rows and len(options.rows) * blocks != below:
            message = f"{count} pictures in {beside} columns are {below} rows"
            raise _wrong("rows", f"{message}, not {len(options.rows) * blocks}")
        if below % blocks:
            raise _wrong("blocks", f"{below} rows cannot be {blocks} blocks of one size")
        if options.labels and len(options.labels) != count:
            raise _wrong("labels", f"there are {count} pictures and {len(options.labels)} labels; each needs its own")

    @classmethod
    def pictures(cls, spec: JobSpec, options: Any) -> dict[str, str]:
        return {str(place): path for place, path in enumerate(options.pictures) if path}

    def run(self, context: Context) -> Iterator[Result]:
        """Draw the sheet. A place without a picture says why; each picture is opened, made small, and let go."""
        options, cells = context.options, []
        count = len(options.pictures)
        edge = sheets.edge_px(count, sheets.across(count, len(options.columns)))
        for place in range(count):
            if picture := context.pictures.get(str(place)):
                label = options.labels[place] if options.labels else ""
                cells.append(sheets.Cell(sheets.thumbnail(picture, edge), label))
            else:
                cells.append(sheets.Cell(None, options.failed.get(str(place), "no picture")))
            context.progress(place + 1, count)
        image = sheets.draw(cells, options.columns, options.rows, options.blocks)
        yield Result(image, context.planned[0])


def _wrong(key: str, message: str) -> BadSpec:
    return BadSpec([Problem("the job", None, key, message)])
