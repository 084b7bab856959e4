"""The models that are known, and where their weights lie. Imports no torch: the service asks too."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hotfolder import miniatures, yamlfile
from hotfolder.errors import NotYet
from hotfolder.models import checkpoints, complete, download, hub, rembg
from hotfolder.models.parts import parts
from hotfolder.spec import Strict, Unit

HERE = Path(__file__).parent
PICKLES = (".bin", ".ckpt", ".pt", ".pth")
VAE_FILE = "ae.safetensors"
"""FLUX.1's VAE as one file, in its makers' layout."""

SINGLES = {"upscale": "upscalers", "generate": "checkpoints"}
"""The folder of a workspace's `models` in which models of one file lie, by their kind."""


class Incomplete(NotYet):
    """Some of a model's weights are here: somebody is bringing them."""


class Defaults(Strict):
    """What a model does when the job does not say. `edge_px`: side of its square picture. `threshold`: the score from
    which it has found something."""

    steps: int = 1
    guidance: float = 0.0
    edge_px: Annotated[int, Field(multiple_of=16)] = 1024
    max_tokens: int = 77
    threshold: Unit = 0.5

    @property
    def max_edge_px(self) -> int:
        """The longest edge it makes."""
        return 2 * self.edge_px


class ModelEntry(Strict):
    """One known model or LoRA.

    Its weights come from `repo` on the Hugging Face hub, of which only `files` (patterns, as fnmatch reads them) are
    wanted: `bytes` together. Or they are `packaged`: a shipped miniature's folder. Or one `file` that somebody put into
    the workspace. Or it has none. What is on no hub
    somebody downloads from `url`. `single_files` are names under which people have it as one file; only a pickle that
    is named here is ever opened. `parts` says which shipped configuration each component has (`models/configs/NAME`),
    for files that come without one.

    `sha256` holds the hashes that are known, by path in the repository. A LoRA serves no kind itself; `lora_for` names
    the models it was made for. `opens_pickle`: where its folder has no .safetensors, `pytorch_model.bin` is read, by a
    reader that runs nothing of what is in it. `half` is the 16-bit format that suits it where it runs in one.
    `commercial` is False where the licence forbids earning money with the model.
    """

    name: str
    family: str
    kinds: tuple[str, ...] = ()
    licence: str
    commercial: bool = True
    repo: str | None = None
    url: str | None = None
    revision: str = "main"
    files: tuple[str, ...] = ()
    single_files: tuple[str, ...] = ()
    sha256: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = {}
    opens_pickle: bool = False
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
        return bool(self.repo or self.packaged or self.file or self.url)

    @property
    def is_miniature(self) -> bool:
        return self.packaged is not None


@functools.cache
def entries() -> dict[str, ModelEntry]:
    """Return the shipped registry by name."""
    (document,) = yamlfile.parse((HERE / "registry.yaml").read_bytes(), "registry.yaml")
    return {name: ModelEntry(name=name, **values) for name, values in document.values.items()}


def known(models: Path) -> dict[str, ModelEntry]:
    """Return the shipped registry, and under its file's name every upscaler and every checkpoint of one file that lies
    in the workspace's `models`.

    What cannot be used, pickles above all, is among them, so that it can be said why.
    """
    shipped = entries()
    taken = {VAE_FILE, *(name for entry in shipped.values() for name in entry.single_files)}
    found = {}
    for kind, folder in SINGLES.items():
        for path in sorted((models / folder).glob("*.*")):
            is_weights = path.suffix in (*PICKLES, ".safetensors") and path.is_file()
            if is_weights and path.name not in taken and not path.name.startswith("."):
                found[path.stem] = _upscaler(path) if kind == "upscale" else _checkpoint(path)
    return found | shipped


def _upscaler(path: Path) -> ModelEntry:
    return ModelEntry(name=path.stem, family="esrgan", kinds=("upscale",), licence="not known", file=path, half="fp16")


def _checkpoint(path: Path) -> ModelEntry:
    """Return the entry of somebody's own checkpoint: that of the model it is a variant of, with other weights."""
    base, _ = checkpoints.base_of(path)
    if not base:
        return ModelEntry(name=path.stem, family="flux1", kinds=("generate",), licence="not known", file=path)
    own = {"name": path.stem, "file": path, "repo": None, "files": (), "single_files": (), "gated": False}
    return entries()[base].model_copy(update=own | {"licence": f"not known; made from {base}"})


def weights_bytes(folder: Path) -> int:
    """Return how large the weights in a folder are, or the one file that holds them."""
    files = complete.files(folder) if folder.is_dir() else [folder]
    return sum(path.stat().st_size for path in files)


def weights_folder(entry: ModelEntry, models: Path) -> Path:
    """Return the diffusers folder of a model's weights, or the one file of them: those in the workspace's `models`,
    else in the Hugging Face cache.

    Raises:
        Incomplete: they are not all there; the text names the first that is missing.
        NotYet: they are not on this machine, or none that can be used; the text names the model and its size.
    """
    if entry.packaged:
        return miniatures.path(entry.packaged)
    own = models / "checkpoints" / entry.name
    reasons: list[NotYet] = []
    reason: NotYet | None
    for place in _places(entry, models):
        if place.is_dir():
            # what people saved themselves may have fewer files than were published
            wanted = [name for name in entry.files if place != own or name == "model_index.json"]
            lacks = complete.missing(place, wanted, entry.opens_pickle)
            reason = _incomplete(entry, place, lacks, is_own=place == own) if lacks else None
        else:
            reason = _refused(entry, place, models)
        if not reason:
            return place
        reasons.append(reason)
    if reasons:
        raise reasons[0]
    size = f" ({download.gigabytes(entry.bytes)})" if entry.bytes else ""
    if entry.url:
        raise NotYet(
            f"the weights of {entry.name}{size} are not on this machine; download {entry.url} into "
            f"models/checkpoints/{entry.name}/; to try hotfolder without them, use `profile: miniature`",
            entry.name,
        )
    assert entry.repo
    gate = f" (it is gated: first {download.gated_sentence(hub.page(entry.repo))})" if entry.gated else ""
    raise NotYet(
        f"the weights of {entry.name}{size} are not on this machine; fetch them: hotfolder models pull {entry.name}"
        f"{gate}, or put the folder of {entry.repo} into models/checkpoints/{entry.name}/; to try hotfolder without "
        "them, use `profile: miniature`",
        entry.name,
    )


def home_of(entry: ModelEntry, part: str, models: Path) -> Path | None:
    """Return where a part lies that a checkpoint of one file does not hold: the diffusers folder of a model which has
    the same, or a VAE's own file; None where it is nowhere."""
    donors = _with_same_companions(entry)
    snapshots = [folder for donor in donors for folder in _snapshots(donor)]
    folders = [*(models / "checkpoints" / donor.name for donor in donors), *snapshots]
    if home := next((folder for folder in folders if not complete.missing_of(folder, part)), None):
        return home
    files = [folder / VAE_FILE for folder in (models / "checkpoints", *snapshots) if part == "vae"]
    return next((path for path in files if complete.is_there(path)), None)


def lenders(entry: ModelEntry, models: Path) -> list[ModelEntry]:
    """Return the models whose parts a model in one file may have borrowed; none for others."""
    try:
        return _with_same_companions(entry) if entry.parts and weights_folder(entry, models).is_file() else []
    except NotYet:
        return []


def _with_same_companions(entry: ModelEntry) -> list[ModelEntry]:
    mine = _companions(entry)
    return [other for other in entries().values() if mine and _companions(other) == mine]


def _companions(entry: ModelEntry) -> dict[str, str]:
    """Return the parts that a checkpoint of one file does not hold, with what each is."""
    heavy = {name: part for name, part in entry.parts.items() if name == "vae" or name.startswith("text_encoder")}
    light = {
        name.replace("text_encoder", "tokenizer"): part for name, part in heavy.items() if name.startswith("text_")
    }
    return heavy | light


def _places(entry: ModelEntry, models: Path) -> Iterator[Path]:
    """Yield the folders and files that a model's weights may be taken from, the best first; all of them exist."""
    if entry.file:
        yield entry.file
        return
    if entry.url:
        folders = [models / "checkpoints" / entry.name, models / "checkpoints", *rembg.homes(entry.name)]
        yield from (path for folder in folders for name in entry.single_files if (path := folder / name).is_file())
        return
    names = {name: None for single in entry.single_files for name in (single, *_as_pickles(single))}
    folders = [models / SINGLES[kind] for kind in entry.kinds if kind in SINGLES]
    yield from (path for path in [models / "checkpoints" / entry.name] if path.is_dir())
    yield from (path for folder in folders for name in names if (path := folder / name).is_file())
    yield from _snapshots(entry)
    yield from (path for at in _snapshots(entry) for name in entry.single_files if (path := at / name).is_file())


def _as_pickles(name: str) -> list[str]:
    return [f"{Path(name).stem}{suffix}" for suffix in PICKLES]


def _snapshots(entry: ModelEntry) -> list[Path]:
    """Return a repository's commits that are in the cache; of another branch than the main one the last one alone, for
    those of the main one hold something else."""
    if not entry.repo:
        return []
    storage = hub.storage(entry.repo)
    branch = storage / "refs" / entry.revision
    if entry.revision == "main":
        return sorted((storage / "snapshots").glob("*"))
    place = storage / "snapshots" / (branch.read_text().strip() if branch.is_file() else "none")
    return [place] if place.is_dir() else []


def _incomplete(entry: ModelEntry, folder: Path, lacks: str, is_own: bool) -> Incomplete:
    fault = complete.fault(folder / lacks) if (folder / lacks).is_file() else ""
    what = f"{lacks} {fault}" if "web page" in fault or "pickle" in fault else f"{lacks} is missing or cut short"
    sentence = f"the weights of {entry.name} are not complete: {what} in {folder}"
    if is_own:
        return Incomplete(sentence)  # whoever is putting them there may not be done
    return Incomplete(f"{sentence}; fetch the rest: hotfolder models pull {entry.name}", entry.name)


def _refused(entry: ModelEntry, path: Path, models: Path) -> NotYet | None:
    """Return why a model cannot be made of one file, None where it can."""
    shown = path.relative_to(models.parent).as_posix() if path.is_relative_to(models) else str(path)
    if path.suffix in PICKLES:
        if path.name in entry.single_files:
            return None
        return NotYet(
            f"{shown} is a pickle, which could run any program when it is read; convert it: waits for "
            f"{path.stem}.safetensors beside it"
        )
    if not complete.is_there(path):
        return Incomplete(f"{shown} {complete.fault(path)}; waits until it is mended")
    if "generate" not in entry.kinds:
        return None
    base, why = checkpoints.base_of(path)
    if why:
        return NotYet(f"{shown} {why}")
    if not entry.file and base != entry.name:
        return NotYet(f"{shown} holds the weights of {base} by its layers, not of {entry.name}; give it another name")
    lacks = [part for part in _companions(entry) if not home_of(entry, part, models)]
    if not lacks:
        return None
    size = sum(parts()[entry.parts[part]].bytes("bf16") for part in lacks if part in entry.parts)
    whole = entries()[base]
    return Incomplete(
        f"{shown} holds the transformer alone and lacks {', '.join(lacks)} ({download.gigabytes(size)}): put them, "
        f"folders of {whole.repo}, into models/checkpoints/{base}/, or fetch all of it "
        f"({download.gigabytes(whole.bytes or 0)}): hotfolder models pull {base}"
    )
