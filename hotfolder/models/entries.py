"""The models and profiles that are known, and where their weights lie. Imports no torch: the service asks too."""

import functools
import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from hotfolder import miniatures, yamlfile
from hotfolder.errors import BadSpec, ConfigError, NotYet, Problem
from hotfolder.models import complete
from hotfolder.registry import did_you_mean
from hotfolder.spec import JobSpec, Strict

HERE = Path(__file__).parent


class Defaults(Strict):
    """What a model does when the job does not say. `edge_px`: side of its square picture."""

    steps: int = 1
    guidance: float = 0.0
    edge_px: Annotated[int, Field(multiple_of=16)] = 1024
    max_tokens: int = 77


class ModelEntry(Strict):
    """One known model or LoRA.

    Its weights come from `repo` on the Hugging Face hub, of which only `files` (patterns, as fnmatch reads them) are
    wanted: `bytes` together. Or they are `packaged`: a shipped miniature's folder. Or it has none. `single_files` are
    names under which people have it as one file; only a pickle that is named here is ever opened. `parts` says which
    shipped configuration each component has (`models/configs/NAME`), for files that come without one.

    `sha256` holds the hashes that are known, by path in the repository. A LoRA serves no kind itself; `lora_for` names
    the models it was made for. `commercial` is False where the licence forbids earning money with the model.
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
    parts: dict[str, str] = {}
    lora_for: tuple[str, ...] = ()
    defaults: Defaults = Defaults()

    @property
    def is_loaded(self) -> bool:
        """Whether serving it puts weights into memory."""
        return bool(self.repo or self.packaged)

    @property
    def is_miniature(self) -> bool:
        return self.packaged is not None


@functools.cache
def entries() -> dict[str, ModelEntry]:
    """Return the shipped registry by name."""
    (document,) = yamlfile.parse((HERE / "registry.yaml").read_bytes(), "registry.yaml")
    return {name: ModelEntry(name=name, **values) for name, values in document.values.items()}


def profile(name: str, own: Path) -> dict[str, str]:
    """Return which model serves each kind, from the profile `name`; the workspace's `own` folder comes first.

    Raises:
        ConfigError: there is no such profile, or it cannot be read.
    """
    folders = [own, HERE / "profiles"]
    path = next((folder / f"{name}.yaml" for folder in folders if (folder / f"{name}.yaml").is_file()), None)
    if path is None or path.parent not in folders:
        known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
        raise ConfigError(f"no profile `{name}`{did_you_mean(name, known)} (known: {', '.join(known)})")
    return _table(path, path.stat().st_mtime_ns)


@functools.lru_cache(8)
def _table(path: Path, changed_ns: int) -> dict[str, str]:
    """Read a profile; once for each state of its file, since every job dropped asks."""
    try:
        documents = yamlfile.parse(path.read_bytes(), f"profiles/{path.name}")
        table = TypeAdapter(dict[str, str]).validate_python(documents[0].values if documents else {})
    except (BadSpec, ValidationError) as error:
        raise ConfigError(f"the profile `{path.stem}` cannot be used: {error}") from None
    for kind, model in table.items():
        if model not in entries():
            raise ConfigError(f"profiles/{path.name}: `{kind}` names the model `{model}`, which is not known")
    return table


def choose(spec: JobSpec, default_profile: str, own_profiles: Path, where: str) -> tuple[str, ModelEntry | None]:
    """Return the profile and the model that serve a job, None for a kind that no model is known for: it needs none.

    `where` names the job's file in messages.

    Raises:
        BadSpec: the job names an unknown model, one of another kind, or a miniature outside their profile.
        ConfigError: no such profile.
    """
    name = spec.profile or default_profile
    table = profile(name, own_profiles)
    fitting = [known.name for known in entries().values() if spec.kind in known.kinds]
    if not fitting and spec.model is None:
        return name, None
    chosen = spec.model or table.get(spec.kind)
    if chosen is None:
        raise ConfigError(f"the profile `{name}` names no model for {spec.kind}")
    entry = entries().get(chosen)
    if entry is None or spec.kind not in entry.kinds:
        hint = did_you_mean(chosen, fitting) or f"; known for {spec.kind}: {', '.join(fitting) or 'none'}"
        raise BadSpec([Problem(where, None, "model", f"no model `{chosen}` for {spec.kind}{hint}")])
    if entry.is_miniature and chosen not in table.values():
        message = f"`{chosen}` draws coloured shapes only and is never mixed with real work; use `profile: miniature`"
        raise BadSpec([Problem(where, None, "model", message)])
    return name, entry


def weights_folder(entry: ModelEntry, models: Path) -> Path:
    """Return the diffusers folder of a model's weights: the workspace's models/checkpoints/NAME, else the Hugging
    Face cache.

    Raises:
        NotYet: they are not on this machine, or not completely; the text names the model and its size.
    """
    if entry.packaged:
        return miniatures.path(entry.packaged)
    assert entry.repo
    hub = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", "~/.cache/huggingface"), "hub")
    snapshots = Path(hub).expanduser() / f"models--{entry.repo.replace('/', '--')}" / "snapshots"
    incomplete = None
    for folder in [models / "checkpoints" / entry.name, *sorted(snapshots.glob("*"))]:
        if folder.is_dir():
            if (lacks := complete.missing(folder)) is None:
                return folder
            incomplete = incomplete or (folder, lacks)
    if incomplete:
        raise NotYet(f"the weights of {entry.name} are not complete: {incomplete[1]} is missing or cut short in "
                     f"{incomplete[0]}")  # fmt: skip
    size = f" ({entry.bytes / 1e9:.1f} GB)" if entry.bytes else ""
    raise NotYet(
        f"the weights of {entry.name}{size} are not on this machine: put the diffusers folder of {entry.repo} "
        f"into models/checkpoints/{entry.name}/ or download it into the Hugging Face cache; to try hotfolder "
        "without them, use `profile: miniature`"
    )
