"""`hotfolder models pull` and `models prune`: which models are meant, and what is said meanwhile: a bar on a terminal,
lines elsewhere."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from hotfolder.catalog import queue, store
from hotfolder.errors import ConfigError
from hotfolder.models import download, fetch, profile, prune
from hotfolder.models.entries import ModelEntry, entries, known, lenders
from hotfolder.registry import did_you_mean
from hotfolder.workspace import Workspace

LINES = 10
"""Into how many lines a model's way is cut where there is no bar."""


def find(names: tuple[str, ...], shipped: str = "there is nothing to fetch") -> list[ModelEntry]:
    """Return the models of these names that can be fetched; `shipped` is what is said of one that need not be.

    Raises:
        ConfigError: there is no such model, or nothing to fetch for it.
    """
    fetchable = [entry.name for entry in entries().values() if entry.repo]
    for name in names:
        if name in entries() and (url := entries()[name].url):
            raise ConfigError(f"{name} is on no hub: download {url} into models/checkpoints/{name}/")
        if name in entries() and name not in fetchable:
            raise ConfigError(f"{name} comes with hotfolder; {shipped}")
        if name not in fetchable:
            raise ConfigError(f"no model `{name}`{did_you_mean(name, fetchable)} (`hotfolder models` lists them)")
    return [entries()[name] for name in names]


def pull(entry: ModelEntry, console: Console) -> None:
    """Fetch a model, however large, and say how far that is.

    Raises:
        NotYet: it cannot be had; a sentence.
    """
    licence = entry.licence if entry.commercial else f"{entry.licence}, not for commercial use"
    console.print(f"{entry.name} ({licence})", markup=False, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        fetch.fetch(entry, _in_lines(entry, console))
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            bar = bars.add_task(entry.name, total=None)
            fetch.fetch(entry, lambda done, of: bars.update(bar, completed=done, total=of))
    console.print(f"{entry.name} is on this machine.", markup=False, highlight=False, soft_wrap=True)


def _in_lines(entry: ModelEntry, console: Console) -> Callable[[int, int], None]:
    said = -1

    def progress(done: int, of: int) -> None:
        nonlocal said
        if done * LINES // of > said:
            said = done * LINES // of
            here = f"{download.gigabytes(done, of)} of {download.gigabytes(of)}"
            console.print(f"{entry.name}: {here}", markup=False, highlight=False, soft_wrap=True)

    return progress


def unneeded(workspace: Workspace, names: tuple[str, ...]) -> list[prune.Unneeded]:
    """Return what `models prune` may delete: what hotfolder fetched of the models named or, where none is, of those
    that neither the workspace's profile, nor one of its own in profiles/, nor a checkpoint of one file, nor a job that
    has not ended needs; and NF4 copies of what is gone."""
    if names:
        named = {entry.name for entry in find(names, "it stays, only what was fetched can go")}
        return prune.find(_needed_by_jobs(workspace) | {*entries()} - named)
    own = [path.stem for path in workspace.profiles.glob("*.yaml")]
    servings = [
        serving
        for name in {workspace.settings.profile, *own}
        for serving in profile.profile(name, workspace.profiles).values()
    ]
    kept = {name for one in servings for name in (*one.models, *(lora.name for lora in one.loras))}
    lend = {donor.name for entry in known(workspace.models).values() for donor in lenders(entry, workspace.models)}
    return prune.find(kept | lend | _needed_by_jobs(workspace)) + prune.find_copies(workspace.models)


def _needed_by_jobs(workspace: Workspace) -> set[str]:
    try:
        with store.reading(workspace.catalog) as catalog:
            return queue.needed_models(catalog)
    except store.NothingYet:
        return set()
