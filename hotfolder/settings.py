"""What hotfolder.yaml may say. Every key has a default; the file `init` writes is made from the descriptions here."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from hotfolder import sentences, yamlfile
from hotfolder.errors import BadSpec, ConfigError, Problem
from hotfolder.registry import did_you_mean
from hotfolder.spec import Strict


class Settings(Strict):
    """The settings of one workspace. `_s` is seconds, `_gb` is 10**9 bytes."""

    inbox: str | None = Field(
        default=None,
        description="where files are dropped: another folder, also on another disk or a share; default inbox/",
    )
    outbox: str | None = Field(default=None, description="where results go: another folder; default outbox/")
    profile: str = Field(
        default="auto", description="which models serve each kind of job: auto, miniature, or your own in profiles/"
    )
    settle_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=1.0, description="seconds without a change after which a dropped file is taken"
    )
    rescan_s: Annotated[float, Field(ge=0.2, le=3600)] = Field(
        default=10.0, description="seconds between full looks at the inbox; finds what the system's file events missed"
    )
    max_megapixels: Annotated[float, Field(ge=1, le=2000)] = Field(
        default=250.0, description="larger pictures are refused before they are decoded"
    )
    job_timeout_s: Annotated[float, Field(ge=1, le=604_800)] = Field(
        default=3600.0, description="seconds without progress after which a job's worker is ended"
    )
    stop_grace_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=30.0,
        description="seconds a running job gets to finish when hotfolder is stopped; then it is queued again",
    )
    overtake_bound: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=32, description="how many later jobs may go before a job, where that saves loading a model"
    )
    memory_gb: Annotated[float, Field(gt=0, le=10_000)] | None = Field(
        default=None,
        description="how much memory models and their work may take, of the card if there is one; default what is free",
    )
    fetch_limit_gb: Annotated[float, Field(ge=0, le=1000)] = Field(
        default=2.0,
        description="models up to this size are fetched when a job first needs them; 0 fetches nothing unasked",
    )
    electricity_price: Annotated[float, Field(ge=0, le=1_000_000)] | None = Field(
        default=None,
        description="what a kilowatt-hour costs, in your currency: then what the card took is shown as money too",
    )

    def money(self, energy_wh: float | None) -> float | None:
        """Return what energy costs in the currency of `electricity_price`; None where either is not known."""
        if energy_wh is None or self.electricity_price is None:
            return None
        return energy_wh / 1000 * self.electricity_price


def load(path: Path) -> Settings:
    """Read the settings file; one that is not there means the defaults.

    Raises:
        ConfigError: it cannot be read or used; names the file, lines and keys.
    """
    if not path.exists():
        return Settings()
    try:
        return _settings(path)
    except BadSpec as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _settings(path: Path) -> Settings:
    documents = yamlfile.parse(path.read_bytes(), path.name)
    if len(documents) > 1:
        raise BadSpec([documents[1].problem((), "settings are one mapping; take out the `---`")])
    if not documents:
        return Settings()
    document = documents[0]
    problems: list[Problem] = []
    known = sentences.fields(Settings)
    values = {}
    for key, value in document.values.items():
        if key not in known:
            problems.append(document.problem((key,), f"unknown key {sentences.shown(key)}{did_you_mean(key, known)}"))
        elif value is not None:
            values[key] = sentences.read(document, (key,), value, known[key], problems)
    if not problems:
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            problems = list(sentences.validation_problems(document, error))
    raise BadSpec(problems)


def template() -> str:
    """Return the commented hotfolder.yaml that `hotfolder init` writes: every key, at its default, switched off."""
    lines = ["# hotfolder settings. Take out the `#` before a key to change it.", ""]
    for key, info in Settings.model_fields.items():
        default = "" if info.default is None else f" {info.default}"
        lines += [f"# {info.description}", f"#{key}:{default}", ""]
    return "\n".join(lines[:-1]) + "\n"
