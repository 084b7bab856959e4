"""Profiles: which model serves each kind, and how; and the choice for one job. Imports no torch."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from hotfolder import sentences, yamlfile
from hotfolder.errors import BadSpec, ConfigError, Problem
from hotfolder.models import fit
from hotfolder.models.entries import HERE, SINGLES, ModelEntry, entries, known
from hotfolder.models.placement import Machine, Offload, Placement, Precision
from hotfolder.registry import did_you_mean
from hotfolder.spec import JobSpec, LoraUse, Strict


class Serving(Strict):
    """How a profile serves one kind. `kind: MODEL` is short for `kind: {model: MODEL}`.

    What is not given is left to the machine (precision, offload) or to the model (steps, guidance).
    """

    model: str = Field(description="a name that `hotfolder models` lists")
    on_cpu: str | None = Field(default=None, description="the model that serves where there is no graphics card")
    variants: dict[str, str] = Field(
        default_factory=dict, description="models for jobs that need another, by what the kind calls them (deep, words)"
    )
    precision: Precision | None = Field(default=None, description="bf16, nf4 ...; default what fits the machine")
    text_precision: Precision | None = Field(default=None, description="the same for the large text encoder")
    offload: Offload | None = Field(default=None, description="none, model, group or sequential; default what fits")
    loras: tuple[LoraUse, ...] = Field(default=(), description="LoRAs that every picture gets, for fewer steps")
    steps: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, description="where the job names none")
    guidance: Annotated[float, Field(ge=0, le=100)] | None = Field(default=None, description="where the job names none")
    max_edge_px: Annotated[int, Field(ge=16, le=65_535)] | None = Field(
        default=None, description="the longest edge that is worked on, in pixels"
    )

    def for_model(self, name: str) -> "Serving":
        """Return how another model than the profile's own is served: without the steps and LoRAs made for that one."""
        return self.model_copy(update={"model": name, "loras": (), "steps": None, "guidance": None})

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it names."""
        return (self.model, *([self.on_cpu] if self.on_cpu else []), *self.variants.values())

    def wish(self, by_name: bool) -> fit.Wish:
        return fit.Wish(self.precision, self.text_precision, self.offload, by_name)


@dataclass(frozen=True)
class Choice:
    """What serves a job: the profile's name, the model, and how."""

    profile: str
    entry: ModelEntry
    serving: Serving
    by_name: bool

    def filled(self, spec: JobSpec) -> JobSpec:
        """Return the job with what the profile adds: steps, guidance and LoRAs that it does not name itself."""
        named = {lora.name for lora in spec.loras}
        added = tuple(lora for lora in self.serving.loras if lora.name not in named)
        update = {
            "steps": spec.steps or self.serving.steps,
            "guidance": self.serving.guidance if spec.guidance is None else spec.guidance,
            "loras": (*spec.loras, *added),
        }
        return spec.model_copy(update=update)

    def placement(self, spec: JobSpec, machine: Machine, weights_bytes: int | None) -> Placement:
        """Return how the model is put on a machine for this job; `weights_bytes` is None where they are not here.

        Raises:
            NotYet: it cannot run there.
        """
        edge = self.entry.defaults.edge_px
        pixels = (spec.width or spec.height or edge) * (spec.height or spec.width or edge)
        return fit.place(self.entry, weights_bytes, self.serving.wish(self.by_name), machine, pixels, self.lora_bytes)

    @property
    def known_loras(self) -> list[ModelEntry]:
        """The LoRAs that the profile adds."""
        return [entries()[lora.name] for lora in self.serving.loras]

    @property
    def lora_bytes(self) -> int:
        """What they take in memory, in 16 bits; their files hold 32."""
        return sum((entry.bytes or 0) // 2 for entry in self.known_loras)


def profile(name: str, own: Path) -> dict[str, Serving]:
    """Return how each kind is served by the profile `name`; the workspace's `own` folder comes before the shipped.

    Raises:
        ConfigError: there is no such profile, or it cannot be used; names the file and the lines.
    """
    folders = [own, HERE / "profiles"]
    path = next((folder / f"{name}.yaml" for folder in folders if (folder / f"{name}.yaml").is_file()), None)
    if path is None or path.parent not in folders:
        known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
        raise ConfigError(f"no profile `{name}`{did_you_mean(name, known)} (known: {', '.join(known)})")
    return _table(path, path.stat().st_mtime_ns)


@functools.lru_cache(8)
def _table(path: Path, changed_ns: int) -> dict[str, Serving]:
    """Read a profile; once for each state of its file, since every job dropped asks."""
    try:
        documents = yamlfile.parse(path.read_bytes(), f"profiles/{path.name}")
        if len(documents) > 1:
            raise BadSpec([documents[1].problem((), "a profile is one mapping; take out the `---`")])
        return _servings(documents[0]) if documents else {}
    except BadSpec as error:
        raise ConfigError(f"the profile `{path.stem}` cannot be used: {error}") from None


def _servings(document: yamlfile.Document) -> dict[str, Serving]:
    problems: list[Problem] = []
    schema = {"type": "object", "properties": sentences.fields(Serving), "required": ["model"]}
    table = {}
    for kind, value in document.values.items():
        values = {"model": value} if isinstance(value, str) else value
        read = sentences.read(document, (kind,), values, schema, problems)
        if not problems:
            table[kind] = Serving.model_validate(read)
            problems += _unknown(document, kind, table[kind])
    if problems:
        raise BadSpec(problems)
    return table


def _unknown(document: yamlfile.Document, kind: str, serving: Serving) -> list[Problem]:
    """Return what a profile's row names that the registry does not have, or has for another kind."""
    problems = []
    for key, name in (("model", serving.model), ("on_cpu", serving.on_cpu), *serving.variants.items()):
        fitting = [entry.name for entry in entries().values() if kind in entry.kinds]
        if name is not None and name not in fitting:
            hint = did_you_mean(name, fitting) or f" (known: {', '.join(fitting) or 'none'})"
            problems.append(document.problem((kind, key), f"no model `{name}` for {kind}{hint}"))
    for number, lora in enumerate(serving.loras):
        made = [entry.name for entry in entries().values() if serving.model in entry.lora_for]
        if lora.name not in made:
            hint = did_you_mean(lora.name, made) or f" (known: {', '.join(made) or 'none'})"
            message = f"no LoRA `{lora.name}` for {serving.model}{hint}"
            problems.append(document.problem((kind, "loras", number), message))
    return problems


def choose(
    spec: JobSpec,
    default_profile: str,
    own_profiles: Path,
    models: Path,
    where: str,
    has_card: bool,
    variant: str | None = None,
) -> Choice | None:
    """Return what serves a job, None for a kind that no model is known for: it needs none.

    `models` is the workspace's folder, `where` the job's file in messages. `has_card` says whether there is
    anything faster than a processor. `variant` is what Capability.variant says of the job.

    Raises:
        BadSpec: the job names an unknown model, one of another kind, a miniature outside their profile, or a larger
            picture than the profile allows.
        ConfigError: no such profile.
    """
    name = spec.profile or default_profile
    table = profile(name, own_profiles)
    every = known(models)
    fitting = [entry.name for entry in every.values() if spec.kind in entry.kinds]
    if not fitting and spec.model is None:
        return None
    serving = table.get(spec.kind)
    if serving is None and spec.model is None:
        raise ConfigError(f"the profile `{name}` names no model for {spec.kind}")
    usual = serving.on_cpu if serving and serving.on_cpu and not has_card else serving.model if serving else None
    if serving and variant in serving.variants:
        usual = serving.variants[variant]
    chosen = spec.model or usual
    assert chosen
    entry = every.get(chosen)
    if entry is None or spec.kind not in entry.kinds:
        own = f"; or put its file into models/{SINGLES[spec.kind]}/" if spec.kind in SINGLES else ""
        hint = did_you_mean(chosen, fitting) or f"; known for {spec.kind}: {', '.join(fitting) or 'none'}{own}"
        raise BadSpec([Problem(where, None, "model", f"no model `{chosen}` for {spec.kind}{hint}")])
    served = {other for row in table.values() for other in row.models}
    if entry.is_miniature and chosen not in served:
        message = f"`{chosen}` draws coloured shapes only and is never mixed with real work; use `profile: miniature`"
        raise BadSpec([Problem(where, None, "model", message)])
    serving = serving or Serving(model=chosen)
    if chosen != serving.model:
        serving = serving.for_model(chosen)
    longest = max(spec.width or 0, spec.height or 0)
    if serving.max_edge_px and longest > serving.max_edge_px:
        message = f"the profile `{name}` works on edges of up to {serving.max_edge_px} pixels, not {longest}"
        raise BadSpec([Problem(where, None, "width" if spec.width == longest else "height", message)])
    return Choice(name, entry, serving, by_name=spec.model is not None)
