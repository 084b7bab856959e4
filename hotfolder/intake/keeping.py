"""`on_keep: {kind: upscale, factor: 4}`: a job as it is written into another one, for the pictures that are kept."""

from collections.abc import Sequence
from pathlib import Path

from hotfolder.capabilities import CAPABILITIES
from hotfolder.errors import BadSpec, Unsupported
from hotfolder.intake import chains, language, matrix
from hotfolder.spec import JobSpec
from hotfolder.yamlfile import Document

_OF_THE_PICTURE = ("image", "image_sha256")


def refuse_what_is_no_job(spec: JobSpec, layers: Sequence[Document]) -> None:
    """Raise BadSpec where a job's `on_keep` could not be run on a kept picture; its problems have the lines that they
    have in the file.

    Args:
        layers: what the job was resolved from, weakest first.
    """
    if spec.on_keep is None:
        return
    layer = next(layer for layer in reversed(layers) if layer.values.get("on_keep") is not None)
    written = _document(layer)
    if given := [key for key in _OF_THE_PICTURE if written.values.get(key) is not None]:
        raise BadSpec([written.problem((given[0],), f"`on_keep` works on the kept picture; take `{given[0]}` out")])
    if written.values.get("kind") is None and written.values.get("pipeline") is None:
        raise BadSpec([written.problem((), "`on_keep` needs a `kind`, such as `on_keep: {kind: upscale}`")])
    try:
        job = language.resolve([written], None)
    except Unsupported as error:
        raise BadSpec([written.problem((), str(error))]) from None
    capability = CAPABILITIES[job.kind]
    if "image" not in capability.uses | capability.needs:
        raise BadSpec([written.problem(("kind",), f"`{job.kind}` takes no picture, so it cannot be an `on_keep`")])
    if job.kind == "pipeline":
        chains.parts(job, [written], Path("kept.png"))
    if job.matrix is not None:
        matrix.parts(job, [written])
    refuse_what_is_no_job(job, [written])


def _document(layer: Document) -> Document:
    """Return the job in a layer's `on_keep` as a document of its own, with the lines it has there."""
    lines = {path[1:]: line for path, line in layer.lines.items() if path[:1] == ("on_keep",)}
    sources = {path[1:]: text for path, text in layer.sources.items() if path[:1] == ("on_keep",)}
    return Document(layer.name, layer.values["on_keep"], lines, sources)
