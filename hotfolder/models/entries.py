"""The models that are known, and where their weights lie. Imports no torch: the service asks too."""

import functools
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hotfolder import miniatures, yamlfile
from hotfolder.errors import NotYet
from hotfolder.models import complete, download, hub
from hotfolder.spec import Strict

HERE = Path(__file__).parent
PICKLES = (".ckpt", ".pt", ".pth")


class Incomplete(NotYet):
    """Some of a model's weights are here: somebody is bringing them."""


class Defaults(Strict):
    """What a model does when the job does not say. `edge_px`: side of its square picture."""

    steps: int = 1
    guidance: float = 0.0
    edge_px: Annotated[int, Field(multiple_of=16)] = 1024
    max_tokens: int = 77


class ModelEntry(Strict):
    """One known model or LoRA.

    Its weights come from `repo` on the Hugging Face hub, of which only `files` (patterns, as fnmatch reads them) are
    wanted: `bytes` together. Or they are `packaged`: a shipped miniature's folder. Or one `file` that somebody put into
    the workspace. Or it has none. `single_files` are names under which people have it as one file; only a pickle that
    is named here is ever opened. `parts` says which shipped configuration each component has (`models/configs/NAME`),
    for files that come without one.

    `sha256` holds the hashes that are known, by path in the repository. A LoRA serves no kind itself; `lora_for` names
    the models it was made for. `half` is the 16-bit format that suits it where it runs in one. `commercial` is False
    where the licence forbids earning money with the model.
    """

    name: str
    family: str
    kinds: tuple[str, ...] = ()
    licence: str
    commercial: bool = True
    repo: str | None = None
    revision: str = "main"
    files: tuple[str, ...] = ()
    single_files: tuple[str, ...] = ()
    sha256: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = {}
    packaged: str | None = None
    gated: bool = False
    bytes: int | None = None
    file: Path | None = None
    parts: dict[str, str] = {}
    half: Literal["bf16", "fp16"] = "bf16"
    lora_for: tuple[str, ...] = ()
    defaults: Defaults = Defaults()

    @property
    def is_loaded(self) -> bool:
        """Whether serving it puts weights into memory."""
        return bool(self.repo or self.packaged or self.file)

    @property
    def is_miniature(self) -> bool:
        return self.packaged is not None


@functools.cache
def entries() -> dict[str, ModelEntry]:
    """Return the shipped registry by name."""
    (document,) = yamlfile.parse((HERE / "registry.yaml").read_bytes(), "registry.yaml")
    return {name: ModelEntry(name=name, **values) for name, values in document.values.items()}


def known(models: Path) -> dict[str, ModelEntry]:
    """Return the shipped registry, and under its file's name every upscaler that lies in the workspace's `models`.

    Pickles are among them, so that it can be said why they are not opened.
    """
    shipped = entries()
    taken = {name for entry in shipped.values() for name in entry.single_files}
    files = [path for path in sorted((models / "upscalers").glob("*.*")) if path.suffix in (*PICKLES, ".safetensors")]
    dropped = {
        path.stem: ModelEntry(
            name=path.stem, family="esrgan", kinds=("upscale",), licence="not known", file=path, half="fp16"
        )
        for path in files
        if path.name not in taken and not path.name.startswith(".")
    }
    return dropped | shipped


def weights_bytes(folder: Path) -> int:
    """Return how large the weights in a folder are, or the one file that holds them."""
    files = folder.rglob("*.safetensors") if folder.is_dir() else [folder]
    return sum(path.stat().st_size for path in files)


def weights_folder(entry: ModelEntry, models: Path) -> Path:
    """Return the diffusers folder of a model's weights: the workspace's models/checkpoints/NAME, else the Hugging
    Face cache.

    Raises:
        Incomplete: they are not all there; the text names the first that is missing.
        NotYet: they are not on this machine; the text names the model and its size.
    """
    if entry.packaged:
        return miniatures.path(entry.packaged)
    if entry.file:
        return _own_file(entry.file)
    if single := next((path for name in entry.single_files if (path := models / "upscalers" / name).is_file()), None):
        return single
    assert entry.repo
    own = models / "checkpoints" / entry.name
    incomplete = None
    for folder in [own, *sorted((hub.storage(entry.repo) / "snapshots").glob("*"))]:
        if folder.is_dir():
            # what people saved themselves may have fewer files than were published
            wanted = [name for name in entry.files if folder != own or name == "model_index.json"]
            if (lacks := complete.missing(folder, wanted)) is None:
                return folder
            incomplete = incomplete or (folder, lacks)
    if incomplete:
        where, lacks = incomplete
        sentence = f"the weights of {entry.name} are not complete: {lacks} is missing or cut short in {where}"
        if where == own:
            raise Incomplete(sentence)  # whoever is putting them there may not be done
        raise Incomplete(f"{sentence}; fetch the rest: hotfolder models pull {entry.name}", entry.name)
    size = f" ({download.gigabytes(entry.bytes)})" if entry.bytes else ""
    gate = f" (it is gated: first {download.gated_sentence(hub.page(entry.repo))})" if entry.gated else ""
    raise NotYet(
        f"the weights of {entry.name}{size} are not on this machine; fetch them: hotfolder models pull {entry.name}"
        f"{gate}, or put the folder of {entry.repo} into models/checkpoints/{entry.name}/; to try hotfolder without "
        "them, use `profile: miniature`",
        entry.name,
    )


def _own_file(path: Path) -> Path:
    if path.suffix != ".safetensors":
        raise NotYet(
            f"models/upscalers/{path.name} is a pickle, which could run any program when it is read; waits for "
            f"{path.stem}.safetensors beside it"
        )
    if not complete.is_there(path):
        raise Incomplete(f"models/upscalers/{path.name} is cut short or holds no weights at all; waits until it does")
    return path
