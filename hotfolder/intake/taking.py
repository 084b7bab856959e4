"""The intake as the service drives it: look, settle, pair, admit, and claim what can run."""

import json
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hotfolder import atomic, names, yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.catalog import chains, queue
from hotfolder.catalog.store import Catalog, storable
from hotfolder.errors import BadSpec, ConfigError, JobError, NotYet
from hotfolder.intake import chains as written_chains
from hotfolder.intake import claim, handover
from hotfolder.intake.admit import Admission, Admitter
from hotfolder.intake.pairing import Group, is_picture, pair
from hotfolder.intake.parts import Draft, Handed
from hotfolder.intake.presets import Presets
from hotfolder.intake.scan import Entry, scan
from hotfolder.intake.stability import Stability, is_being_written
from hotfolder.intake.words import KEY_ALIASES
from hotfolder.models.placement import Machine
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace

TEXTS = frozenset({"prompt", "negative_prompt", "mask_prompt", "name", "note"})
"""Keys whose value is no path, even where it looks like one."""


@dataclass
class Waiting:
    """A drop that waits in the inbox. `looks` is what its rows were written from."""

    drop: str
    looks: tuple[Any, ...]


@dataclass
class Taking:
    """Everything intake remembers between two looks at the inbox."""

    workspace: Workspace
    catalog: Catalog
    draw: random.Random
    machine: Callable[[], Machine]
    fetches: Mapping[str, str]
    """What is to be said of models that are being fetched, or cannot be; the fetcher's own and changing."""
    stability: Stability = field(default_factory=Stability)
    settled: deque[Group] = field(default_factory=deque)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    unsettled: int = 0
    next_settles: float | None = None
    """When the first unsettled file will have settled, monotonic seconds."""
    newly_waiting: list[str] = field(default_factory=list)
    """Drops whose rows as waiting are new or changed, for the service to tell."""
    strangers: list[str] = field(default_factory=list)
    """Files that are nothing hotfolder takes."""

    def __post_init__(self) -> None:
        rows = self.catalog.rows("select id, files from drops where state='waiting'")
        for row in rows:
            primary = queue.files_of(row)[0]["origin"]
            self.waiting[primary] = Waiting(row["id"], ())
        # a cancel that was asked for while nothing ran comes before the first look
        self._admitter = self._admit_with(Presets(self.workspace.inbox))

    def _admit_with(self, presets: Presets) -> Admitter:
        return Admitter(self.workspace, presets, self._find_input, self.draw, self.machine, self.fetches)

    def look(self, now: float) -> None:
        """Scan the inbox once and line up the groups that have settled.

        Raises:
            OSError: the inbox is not there.
        """
        passed_over: list[str] = []
        entries = list(scan(self.workspace.inbox, passed_over))
        self.stability.observe(entries, now)
        groups, strangers = pair(entries)
        self.strangers = [names.display(path) for path in (*(entry.path for entry in strangers), *passed_over)]
        presets = Presets(self.workspace.inbox)
        self._admitter = self._admit_with(presets)
        groups = self._absorb_named_pictures(groups)
        self._forget_gone(groups)
        self.settled.clear()
        self.next_settles, self.unsettled = None, 0
        for group in groups:
            moment = self._settles_at(group, presets)
            if moment <= now and any(is_being_written(self._path(entry)) for entry in group.members.values()):
                moment = now + self.workspace.settings.settle_s
            if moment <= now:
                self.settled.append(group)
            else:
                self.unsettled += 1
                self.next_settles = min(moment, self.next_settles or moment)

    def take_some(self) -> list[claim.Claim]:
        """Admit and claim a batch of settled groups; returns the drops taken."""
        claims: list[claim.Claim] = []
        waiting: list[Admission] = []
        for _ in range(min(claim.BATCH, len(self.settled))):
            admission = self._admitter.admit(self.settled.popleft())
            if admission.is_waiting:
                waiting.append(admission)
            else:
                known = self.waiting.get(admission.group.primary.path)
                claims.append(claim.prepare(known.drop if known else claim.new_drop_id(), admission))
        self._note_waiting(waiting)
        if not claims:
            return []
        taken = claim.claim(self.workspace, self.catalog, claims)
        for one in taken:
            self.waiting.pop(one.admission.group.primary.path, None)
        return taken

    def reconsider(self, job: dict[str, Any]) -> None:
        """Queue a job of a claimed drop that waited, if what it waited for is there now."""
        spec = JobSpec.model_validate_json(job["spec"])
        draft = Draft(job["name"], spec)
        try:
            draft = self._following(job, draft) if job["after"] else self._beginning(job, draft)
        except NotYet as reason:
            draft = replace(draft, wait=str(reason), model=reason.model)
        except handover.Broken as broken:
            draft = replace(draft, error=str(broken), ends_as=broken.ends_as)
        except (JobError, ConfigError) as error:
            draft = replace(draft, error=str(error))
        if draft.wait != job["wait_reason"]:
            with self.catalog.transaction():
                queue.put_reconsidered(self.catalog, job["id"], claim.new_job(self.workspace, draft, None))

    def _beginning(self, job: dict[str, Any], draft: Draft) -> Draft:
        """Return the draft of a job that comes after no other, ready; so are the steps of the chain that it begins."""
        path = self.workspace.absolute(job["source_path"]) if job["source_path"] else None
        if not (path and path.is_file()):
            path = self._named_picture(job, draft.spec)
        if job["source_path"] and path is None:
            raise NotYet(f"waits for the picture `{names.display(job['source_path'])}`, which is not there")
        draft = replace(draft, source=path, pictures=self._further_pictures(job, draft.spec))
        draft = self._admitter.completer.complete(draft, path, job["name"])
        before = draft.spec
        for step in (chain := chains.steps_of(self.catalog, job))[1:]:
            spec = JobSpec.model_validate_json(step["spec"])
            try:
                handed = written_chains.promised(before, spec)
                self._admitter.completer.complete(Draft(step["name"], spec), None, step["name"], handed)
            except NotYet as reason:
                raise NotYet(f"waits until {chains.label(chain, step)}, can run: {reason}", reason.model) from None
            before = spec
        return draft

    def _following(self, job: dict[str, Any], draft: Draft) -> Draft:
        """Return the draft of a job that comes after others, ready to work on what they made."""
        given = handover.given(self.workspace, self.catalog, job)
        for path in filter(None, (given.image, *given.pictures.values())):
            if not path.is_file():
                gone = names.display(self.workspace.relative(path))
                raise NotYet(f"waits for the picture `{gone}`, which is not there")
        pictures = {**self._further_pictures(job, draft.spec), **given.pictures}
        if given.failed:
            options = {**draft.spec.options, "failed": given.failed}
            draft = replace(draft, spec=draft.spec.model_copy(update={"options": options}))
        mask = self.workspace.relative(given.pictures["mask"]) if "mask" in given.pictures else None
        handed = Handed(given.prompt, mask, has_picture=given.image is not None)
        draft = replace(draft, source=given.image, pictures=pictures)
        return self._admitter.completer.complete(draft, given.image, job["name"], handed)

    def _further_pictures(self, job: dict[str, Any], spec: JobSpec) -> dict[str, Path]:
        """Return where the further pictures that a job of a claimed drop names lie now."""
        capability = CAPABILITIES[spec.kind]
        found = {}
        for key, name in capability.pictures(spec, capability.Options(**spec.options)).items():
            known = json.loads(job["inputs"] or "{}").get(key)
            path = self.workspace.absolute(known) if known else None
            found[key] = path if path and path.is_file() else self._find(job, name)
        return found

    def _named_picture(self, job: dict[str, Any], spec: JobSpec) -> Path | None:
        """Return where the picture that a job of a claimed drop names lies now; it may have moved on to done/."""
        if spec.image_sha256 and (path := self._find_input(spec.image_sha256)):
            return path
        return self._find(job, spec.image) if spec.image else None

    def _find(self, job: dict[str, Any], name: str) -> Path:
        """Return the file that a job of a claimed drop calls by a name; raises NotYet, ConfigError."""
        drop = self.catalog.row("select files from drops where id=?", job["drop_id"])
        assert drop
        origin = self.workspace.inbox / queue.files_of(drop)[0]["origin"]
        return self._admitter.named_picture(name, origin.parent)

    def cancel_waiting(self, job: dict[str, Any]) -> None:
        """Take a drop that waits in the inbox and end its jobs as cancelled."""
        path = next(path for path, waiting in self.waiting.items() if waiting.drop == job["drop_id"])
        groups, _ = pair(scan(self.workspace.inbox))
        group = next((group for group in groups if group.primary.path == path), None)
        if group is None:
            return
        admission = self._admitter.admit(group)
        drafts = tuple(replace(draft, wait=None, error="cancelled", ends_as="cancelled") for draft in admission.drafts)
        admission = replace(admission, drafts=drafts)
        if claim.claim(self.workspace, self.catalog, [claim.prepare(job["drop_id"], admission)]):
            del self.waiting[path]

    def _settles_at(self, group: Group, presets: Presets) -> float:
        try:
            intake = presets.of(group.folder).intake
        except NotYet:
            intake = None
        settle_s = self.workspace.settings.settle_s
        if intake and intake.settle_s is not None:
            settle_s = intake.settle_s
        if intake and "picture" in group.members and "job" not in group.members:
            settle_s += intake.sidecar_wait_s
        return max(self.stability.ready_at(entry.path, settle_s) for entry in group.members.values())

    def _absorb_named_pictures(self, groups: list[Group]) -> list[Group]:
        """A picture in the inbox that a job file names belongs to that job, and is no job of its own."""
        alone = {"picture", "caption", "history"}
        pictures = {group.primary.path: group for group in groups if "picture" in group.members.keys() <= alone}
        taken: set[str] = set()
        result = []
        for group in groups:
            if "job" not in group.members:
                result.append(group)
                continue
            members = dict(group.members)
            for path in self._names_pictures(group.members["job"]):
                if path in pictures and path not in taken:
                    for role, entry in pictures[path].members.items():
                        members[f"{role} {len(taken)}"] = entry
                    taken.add(path)
            result.append(replace(group, members=members))
        return [group for group in result if not ("picture" in group.members and group.primary.path in taken)]

    def _names_pictures(self, job: Entry) -> list[str]:
        """Return the inbox paths of the pictures that a job file names; broken files name none."""
        try:
            with open(self._path(job), "rb") as file:
                documents = yamlfile.parse(file.read(claim.MAX_JOB_BYTES), job.name)
        except (BadSpec, OSError):
            return []
        found = []
        for document in documents:
            for value in _names(document.values):
                try:
                    path = self.workspace.locate(value, beside=self._path(job).parent)
                except ConfigError:
                    continue
                if path and path.is_relative_to(self.workspace.inbox):
                    found.append(path.relative_to(self.workspace.inbox).as_posix())
        return found

    def _note_waiting(self, admissions: list[Admission]) -> None:
        """Write or update the rows of drops that stay in the inbox; those that wait as before cost nothing."""
        noted: dict[str, Waiting] = {}
        changed = []
        for admission in admissions:
            path = admission.group.primary.path
            known = self.waiting.get(path)
            looks = tuple((draft.name, draft.spec, draft.wait) for draft in admission.drafts)
            if known is None or known.looks != looks:
                noted[path] = Waiting(known.drop if known else claim.new_drop_id(), looks)
                changed.append(admission)
        if not changed:
            return
        with self.catalog.transaction():
            for admission in changed:
                members = admission.group.members.items()
                files = [{"role": role, "name": entry.name, "origin": entry.path} for role, entry in members]
                jobs = [claim.new_job(self.workspace, draft, None) for draft in admission.drafts]
                drop = noted[admission.group.primary.path].drop
                queue.put_drop(self.catalog, drop, admission.hot_folder, admission.name, "waiting", files, jobs)
        self.waiting |= noted
        self.newly_waiting += [one.drop for one in noted.values()]

    def _forget_gone(self, groups: list[Group]) -> None:
        """Cancel the drops whose file was deleted; drop the rows of those that joined another group."""
        primaries = {group.primary.path for group in groups}
        members = {entry.path for group in groups for entry in group.members.values()}
        for path in [path for path in self.waiting if path not in primaries]:
            drop = self.waiting.pop(path).drop
            with self.catalog.transaction():
                if path in members:
                    queue.put_forgotten(self.catalog, drop)
                else:
                    queue.put_withdrawn(self.catalog, drop)

    def _find_input(self, sha256: str) -> Path | None:
        """Return the file in done/ or outbox that has this hash, if it still lies where the catalog says."""
        found = self.catalog.rows(
            "select files from drops where state in ('done','failed') and files like ? "
            "order by state, rowid desc limit 8",
            f"%{sha256}%",
        )
        paths = [file["path"] for row in found for file in queue.files_of(row) if file.get("sha256") == sha256]
        paths += [row["path"] for row in self.catalog.rows("select path from images where sha256=?", storable(sha256))]
        places = [path for name in paths if (path := self.workspace.absolute(name)).is_file()]
        return next((path for path in places if atomic.sha256_of(path) == sha256), None)

    def _path(self, entry: Entry) -> Path:
        return self.workspace.inbox / entry.path


def _names(value: Any) -> Iterator[str]:
    """Yield the names of pictures in what a job says, its steps, cells and lists included."""
    if isinstance(value, str) and is_picture(value):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if KEY_ALIASES.get(key, key) not in TEXTS:
                yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)
