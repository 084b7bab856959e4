"""The order of flushes, read from strace: what must be on the disk before what, so that a power cut loses nothing.

kill -9 leaves the system's page cache alone, so killing never notices a missing fsync; this does.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.prove.trial import Trial

CALLS = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat"
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")


@dataclass(frozen=True)
class Event:
    """One system call that succeeded; `begin` and `end` are lines of the trace, `target` a rename's or link's."""

    begin: int
    end: int
    call: str
    path: str
    target: str = ""


def record(trial: Trial) -> list[Event]:
    """Run hotfolder to the end under strace."""
    trace = trial.root / ".trace"
    before = ("strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "1000", "-e", f"trace={CALLS}", "-o", str(trace))
    process = trial.start(before=before)
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (0, 1), errors.decode(errors="replace")
    events = sorted(_events(trace.read_text(errors="replace")), key=lambda event: event.begin)
    trace.unlink()
    return events


def _events(text: str) -> Iterator[Event]:
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(text.splitlines()):
        match = _LINE.match(line)
        if not match:
            continue
        pid, resumed, call, rest = match.groups()
        begin = number
        if resumed:
            begin, first = begun.pop(pid)
            call, rest = resumed, first + rest
        if rest.endswith("<unfinished ...>"):
            begun[pid] = (begin, rest.removesuffix("<unfinished ...>"))
        elif re.search(r"\) += 0$", rest):
            yield _event(begin, number, call, rest)


def _event(begin: int, end: int, call: str, rest: str) -> Event:
    quoted = [_plain(text) for text in re.findall(r'"((?:[^"\\]|\\.)*)"', rest)]
    folders = re.findall(r"(?:AT_FDCWD|\d+)<([^>]*)>", rest)
    if not quoted:
        return Event(begin, end, "flush", folders[0])
    paths = [str(Path(folders[min(i, len(folders) - 1)], path)) if folders else path for i, path in enumerate(quoted)]
    return Event(begin, end, re.sub(r"at2?$", "", call), paths[0], paths[1] if len(paths) > 1 else "")


def _plain(text: str) -> str:
    return text.encode().decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape")


class Audit:
    """The rules, over one trace. `broken` collects a sentence for each that does not hold."""

    def __init__(self, trial: Trial, events: list[Event]) -> None:
        self._workspace = trial.workspace
        self._events = events
        self._commits = [event for event in events if event.call == "flush" and event.path.endswith("catalog.db-wal")]
        self.broken: list[str] = []
        self.seen: dict[str, int] = {}

    def run(self) -> list[str]:
        """Check every call that a rule speaks of; returns what is broken, without repeats."""
        inbox, outbox = str(self._workspace.inbox), str(self._workspace.outbox)
        work = str(self._workspace.work)
        kept = (str(self._workspace.done), str(self._workspace.failed))
        for event in self._events:
            if event.call == "link" and event.target.startswith(outbox):
                self._published(event)
            elif event.call == "rename" and event.path.startswith(work) and event.target.startswith(outbox):
                self._say("a result was renamed, not linked, into outbox", event)
            elif event.call == "rename" and event.path.startswith(inbox) and event.target.startswith(work):
                self._claimed(event)
            elif event.call == "unlink" and event.path.startswith(inbox):
                self._brought(event)
            elif event.call == "unlink" and event.path.endswith(".intent"):
                self._forgot_intent(event)
            elif event.call == "rename" and event.path.startswith(work) and event.target.startswith(kept):
                self._filed(event)
            elif event.call == "rename" and event.target.endswith(".error.txt"):
                self._told(event)
            elif event.call == "mkdir" and event.path.startswith((outbox, *kept)):
                self._made_folder(event)
        return sorted(set(self.broken))

    def _published(self, link: Event) -> None:
        """staged file and its folders flushed < intent committed < link < outbox folder flushed < record committed."""
        self._count("links into outbox")
        flushed = self._flush_between(link.path, 0, link.begin)
        self._expect(flushed, "a staged file was linked before it was flushed", link)
        safe = flushed.end if flushed else 0
        for folder in list(Path(link.path).parents)[:3]:
            named = self._flush_between(str(folder), flushed.end if flushed else 0, link.begin)
            self._expect(named, "a staged file was linked before its folder was flushed", link)
            safe = max(safe, named.end if named else 0)
        intended = [one for one in self._commits if safe < one.begin and one.end < link.begin]
        self._expect(intended, "a result was linked before its intent was committed", link)
        self._expect(self._safe_before_commit(link, Path(link.target).parent),
                     "the outbox folder was not flushed before the record", link)  # fmt: skip

    def _claimed(self, move: Event) -> None:
        """intent and work folders flushed < move < in/, the drop's folder and the inbox flushed < rows committed."""
        self._count("moves out of the inbox")
        self._intent_before(move)
        inside = Path(move.target).parent
        folders = {"in/": inside, "the drop's folder": inside.parent, "the inbox": Path(move.path).parent}
        for name, folder in folders.items():
            self._expect(self._safe_before_commit(move, folder), f"{name} was not flushed before the rows", move)

    def _brought(self, unlink: Event) -> None:
        """From another device: copy flushed < named < in/ flushed < original removed."""
        self._count("originals removed on another disk")
        self._intent_before(unlink)
        named = [one for one in self._before(unlink) if one.call == "rename" and Path(one.target).parent.name == "in"
                 and Path(one.target).name == Path(unlink.path).name]  # fmt: skip
        if not self._expect(named, "an original was removed before its copy had a name", unlink):
            return
        copied = self._flush_between(named[-1].path, 0, named[-1].begin)
        self._expect(copied, "a copy was named before it was flushed", unlink)
        settled = self._flush_between(str(Path(named[-1].target).parent), named[-1].end, unlink.begin)
        self._expect(settled, "an original was removed before in/ was flushed", unlink)

    def _intent_before(self, move: Event) -> None:
        work = str(self._workspace.work)
        written = [one for one in self._before(move) if one.call == "rename" and one.target.endswith(".intent")]
        if not self._expect(written, "a file was moved without an intent", move):
            return
        intent = written[-1]
        flushed = self._flush_between(intent.path, 0, intent.begin)
        self._expect(flushed, "the intent was named before it was flushed", move)
        settled = self._flush_between(work, intent.end, move.begin)
        self._expect(settled, "work/ was not flushed after the intent was written", move)

    def _forgot_intent(self, unlink: Event) -> None:
        """rows committed < intent removed."""
        moves = [one for one in self._before(unlink) if Path(one.target).parent.name == "in"]
        committed = [one for one in self._commits if moves and moves[-1].end < one.begin and one.end < unlink.begin]
        self._expect(committed or not moves, "an intent was removed before its rows were committed", unlink)

    def _filed(self, move: Event) -> None:
        """move < done/ or failed/ flushed < row committed < work cleared."""
        self._count("originals filed away")
        self._expect(self._safe_before_commit(move, Path(move.target).parent),
                     "done/ or failed/ was not flushed before the record", move)  # fmt: skip

    def _told(self, rename: Event) -> None:
        """reason flushed < named < its folder flushed < row committed."""
        self._count("reasons written")
        flushed = self._flush_between(rename.path, 0, rename.begin)
        self._expect(flushed, "a reason was named before it was flushed", rename)
        self._expect(self._safe_before_commit(rename, Path(rename.target).parent),
                     "a reason's folder was not flushed before the record", rename)  # fmt: skip

    def _made_folder(self, made: Event) -> None:
        """new folder < its parent flushed < next commit."""
        self._count("folders made")
        self._expect(self._safe_before_commit(made, Path(made.path).parent),
                     "a new folder's parent was not flushed before the record", made)  # fmt: skip

    def _safe_before_commit(self, event: Event, folder: Path) -> Event | None:
        commit = next((one for one in self._commits if one.begin > event.end), None)
        return self._flush_between(str(folder), event.end, commit.begin) if commit else None

    def _flush_between(self, path: str, after: int, before: int) -> Event | None:
        found = (one for one in self._events if one.call == "flush" and one.path == path)
        return next((one for one in found if after < one.begin and one.end < before), None)

    def _before(self, event: Event) -> list[Event]:
        return [one for one in self._events if one.end < event.begin]

    def _count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    def _expect(self, found: object, sentence: str, event: Event) -> bool:
        if not found:
            self._say(sentence, event)
        return bool(found)

    def _say(self, sentence: str, event: Event) -> None:
        self.broken.append(f"{sentence}: {Path(event.target or event.path).name}")


def audit(folder: Path, planted: str = "", other_device: bool = False) -> tuple[list[str], dict[str, int]]:
    """Trace one run over a few drops; returns the broken rules and how many calls were judged."""
    inbox = Path(tempfile.mkdtemp(dir="/dev/shm")) if other_device else None
    try:
        trial = Trial(folder, 3, inbox, planted=planted)
        trial.drop(3, ["plain", "sidecar", "deep", "broken"])
        trial.drop(1, ["broken"])
        judged = Audit(trial, record(trial))
        return judged.run(), judged.seen
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if inbox:
            shutil.rmtree(inbox)


def is_possible() -> bool:
    """Say whether strace is here and may trace."""
    try:
        return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class Missing:
    """A flush left out, what the audit says then, and whether it shows only with an inbox on another disk."""

    planted: str
    says: str
    other_device: bool = False


MISSING = [
    Missing(r"not_flushed=/work/\w+/\d+/\w+/", "linked before it was flushed"),
    Missing(r"not_flushed=/work/\w+/\d+/\w+$", "before its folder was flushed"),
    Missing(r"not_flushed=/outbox/upscale/\d", "outbox folder was not flushed"),
    Missing(r"not_flushed=/outbox(/upscale)?$", "new folder's parent"),
    Missing(r"not_flushed=\.intent\.part$", "intent was named before it was flushed"),
    Missing(r"not_flushed=/\.hotfolder/work$", "work/ was not flushed"),
    Missing(r"not_flushed=/in$", "in/ was not flushed"),
    Missing(r"not_flushed=/work/[0-9a-f]+$", "drop's folder was not flushed"),
    Missing(r"not_flushed=/inbox/", "the inbox was not flushed"),
    Missing(r"not_flushed=/done/", "done/ or failed/ was not flushed"),
    Missing(r"not_flushed=error\.txt\.part$", "a reason was named before"),
    Missing(r"not_flushed=/failed/upscale$", "a reason's folder"),
    Missing(r"not_flushed=/in/\..*part$", "a copy was named before", other_device=True),
    Missing(r"not_flushed=/in$", "removed before in/ was flushed", other_device=True),
    Missing("commits_not_flushed", "before its intent was committed"),
]
