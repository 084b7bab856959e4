"""The command `hotfolder`: each command parses, calls, prints. Messages are sentences; tracebacks need --verbose."""

import json
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from hotfolder import __version__, names
from hotfolder import workspace as places
from hotfolder.errors import ConfigError, HotfolderError
from hotfolder.workspace import Workspace

EXIT_FAILED = 1
SHOWN = 12
"""Job numbers that are listed one by one."""


def main() -> None:
    """Run the command line; errors become sentences and exit codes."""
    try:
        commands(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BrokenPipeError:  # whoever read along, as `head` does, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if "--verbose" in sys.argv or "-v" in sys.argv:
            raise
        click.echo(f"hotfolder: {_sentence(error)}", err=True)
        sys.exit(error.exit_code if isinstance(error, HotfolderError) else ConfigError.exit_code)


def _sentence(error: Exception) -> str:
    if isinstance(error, HotfolderError):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{names.display(str(error.filename))}: {error.strerror}"
    return f"met an error it did not foresee: {type(error).__name__}: {error} (`--verbose` shows where)"


def _note(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Keep an option that may stand before or after the command; the one nearer to the command's words wins."""
    if value is not None and option.name:
        context.ensure_object(dict)[option.name] = value


def _shared(command: Any) -> Any:
    """Give a command the options that every command takes."""
    for name, named in (
        (("-v", "--verbose"), {"is_flag": True, "default": None, "help": "More messages, and tracebacks."}),
        (("--profile",), {"help": "Instead of the settings' own, or of HOTFOLDER_PROFILE."}),
        (
            ("--workspace",),
            {"type": click.Path(path_type=Path), "help": "Default HOTFOLDER_WORKSPACE, or the current folder."},
        ),
    ):
        command = click.option(*name, callback=_note, expose_value=False, **named)(command)
    return command


class _Commands(click.Group):
    """A group each of whose commands takes the shared options too."""

    def command(self, *args: Any, **named: Any) -> Any:
        make = super().command(*args, **named)
        return lambda function: make(_shared(function))

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their whole sentence; click would cut it off."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands[name].get_short_help_str(200)) for name in sorted(self.commands)])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
@_shared
def commands() -> None:
    """Turn a folder into an AI image workstation: drop files into inbox/, collect the results in outbox/."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)


def _root() -> Path:
    given = click.get_current_context().ensure_object(dict)
    if given.get("verbose"):
        logging.getLogger().setLevel(logging.INFO)
    return Path(given.get("workspace") or os.environ.get("HOTFOLDER_WORKSPACE") or ".")


def _open() -> Workspace:
    root = _root()
    return places.open_workspace(root, _profile())


def _profile() -> str | None:
    """Return the profile that the call or its surroundings name, instead of the settings' own."""
    return click.get_current_context().obj.get("profile") or os.environ.get("HOTFOLDER_PROFILE")


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
def init(folder: Path) -> None:
    """Make FOLDER a workspace; what is already there stays."""
    from hotfolder import demo

    workspace = places.init(folder)
    demo.copy_examples(workspace)
    start = f"hotfolder --workspace {shlex.quote(str(workspace.root))} run"
    click.echo(f"{workspace.root} is a workspace. Start it: {start}")


@commands.command()
@click.option("--once", is_flag=True, help="Do what can be done now, name what waits, and leave.")
def run(once: bool) -> None:
    """Watch the inbox and work until Ctrl-C."""
    from hotfolder import running

    sys.exit(running.run(_open(), once))


@commands.command()
def stop() -> None:
    """End the hotfolder that runs on this workspace; its current job finishes first."""
    from hotfolder import control

    workspace = _open()
    if not places.is_running(workspace):
        raise ConfigError(f"no hotfolder runs on {workspace.root}")
    control.ask(workspace, control.Command("stop"))
    click.echo("Stopping; the running job may finish first.")


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--watch", is_flag=True, help="Again each second, until Ctrl-C; for a terminal.")
def status(as_json: bool, watch: bool) -> None:
    """Show what runs, what is queued, what waits and why, and what failed."""
    from rich.console import Console

    from hotfolder import printing
    from hotfolder import status as state

    workspace = _open()
    if as_json and watch:
        raise click.UsageError("--watch is for people and --json for programs; take one of them")
    if watch:
        printing.watch(lambda: state.gather(workspace))
    elif as_json:
        click.echo(state.gather(workspace).as_json())
    else:
        Console().print(printing.status(state.gather(workspace)))


@commands.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Validate job files without running them, and print the resolved jobs."""
    from hotfolder import machine
    from hotfolder.intake import checking

    workspace = _open()
    click.echo("---\n".join(checking.check(workspace, file, machine.facts) for file in files), nl=False)


@commands.command()
def schema() -> None:
    """Print the JSON Schema of the job language, for editors."""
    from hotfolder.intake.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@commands.command()
def pause() -> None:
    """Start no further job until `resume`: puts a file PAUSE into the inbox."""
    (_open().inbox / "PAUSE").touch()
    click.echo("Paused: the running job ends, nothing new starts. Go on with: hotfolder resume")


@commands.command()
def resume() -> None:
    """Go on after `pause`: takes PAUSE out of the inbox."""
    workspace = _open()
    for name in os.listdir(workspace.inbox):
        if name.lower() in ("pause", "pause.txt"):
            (workspace.inbox / name).unlink()
    click.echo("Going on.")


@commands.command()
@click.argument("jobs", nargs=-1, required=True)
def cancel(jobs: tuple[str, ...]) -> None:
    """End waiting, queued or running JOBS: numbers, or names of dropped files for all of their jobs; the files go to
    failed/."""
    _ask("cancel", jobs)


@commands.command()
@click.argument("jobs", nargs=-1, required=True)
def retry(jobs: tuple[str, ...]) -> None:
    """Put the files of failed or cancelled JOBS (numbers, or names of files) back into the inbox; what was done is not
    done again."""
    _ask("retry", jobs)


def _ask(verb: str, words: tuple[str, ...]) -> None:
    from hotfolder import control
    from hotfolder.catalog import store

    workspace = _open()
    with store.reading(workspace.catalog) as catalog:
        jobs = control.jobs_called(workspace, catalog, verb, words)
    for job in jobs:
        control.ask(workspace, control.Command(verb, job))
    now = "now" if places.is_running(workspace) else "when hotfolder runs next"
    numbers = ", ".join(map(str, jobs)) if len(jobs) <= SHOWN else f"{jobs[0]} to {jobs[-1]}, {len(jobs)} of them"
    click.echo(f"{verb.capitalize()} job{'s' if len(jobs) > 1 else ''} {numbers}: {now}.")


@commands.command(cls=_Commands, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models that are known: what they are for, whether they are here, their size, memory and licence."""
    if context.invoked_subcommand:
        return
    from hotfolder import printing
    from hotfolder.models import inventory

    stock = inventory.take_stock(_open().models)
    click.echo(inventory.as_json(stock) if as_json else printing.models(stock))


@models.command()
@click.argument("names", nargs=-1, required=True)
def pull(names: tuple[str, ...]) -> None:
    """Fetch the models NAMES, of any size; what was begun goes on where it ended."""
    from rich.console import Console

    from hotfolder import pulling

    _root()
    for entry in pulling.find(names):
        pulling.pull(entry, Console())


@models.command()
@click.argument("names", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(names: tuple[str, ...], yes: bool) -> None:
    """Delete what hotfolder fetched of the models NAMES; without NAMES, of all that nothing here needs."""
    from hotfolder import printing, pulling
    from hotfolder.models import prune as pruning

    found = pulling.unneeded(_open(), names)
    if not found:
        click.echo("There is nothing to delete.")
        return
    click.echo(printing.unneeded(found))
    if yes or click.confirm("Delete that?"):
        for one in found:
            pruning.remove(one)
        click.echo("Deleted.")


@commands.command()
@click.option("--port", type=int, help="Default 8001, or the next free one.")
@click.option("--review", is_flag=True, help="With buttons to rate, keep, reject and make more.")
def browse(port: int | None, review: bool) -> None:
    """Show the catalog in a browser, on this machine alone; read-only but for --review."""
    from hotfolder.browse.serve import serve

    serve(_open(), port=port, review=review)


@commands.command()
def doctor() -> None:
    """Say what is wrong with this machine or workspace, and the command that mends it."""
    from hotfolder import doctor as examination
    from hotfolder import printing

    findings = examination.examine(_root().absolute(), _profile())
    click.echo(printing.findings(findings))
    sys.exit(EXIT_FAILED if any(finding.ok is False for finding in findings) else 0)


@commands.command()
def verify() -> None:
    """Check that files and catalog agree."""
    from hotfolder import verify as checks

    workspace = _open()
    found = checks.verify(workspace, settled=not places.is_running(workspace))
    for sentence in found:
        click.echo(sentence)
    if not found:
        click.echo("Files and catalog agree.")
    sys.exit(EXIT_FAILED if found else 0)


@commands.command()
def rebuild() -> None:
    """Make the catalog anew from the files; the old one is kept as catalog.db.old."""
    from hotfolder import rebuild as remake

    workspace = _open()
    places.make_private(workspace)
    with places.hold(workspace):
        made, inputs = remake.rebuild(workspace)
    counted = [f"{n} {what}{'s' * (n != 1)}" for n, what in ((made, "picture"), (inputs, "dropped file"))]
    click.echo(f"The catalog has {' and '.join(counted)} again.")


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def demo(folder: Path | None) -> None:
    """Make one job of each kind on the shipped miniature models, in a scratch workspace, and say where they are."""
    from hotfolder import demo as show

    sys.exit(show.run(folder))
