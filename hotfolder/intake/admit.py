"""From a settled group of files to the jobs it asks for: ready, waiting with a reason, or refused with one."""

import contextlib
import itertools
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from hotfolder import atomic, names, yamlfile
from hotfolder.capabilities import CAPABILITIES
from hotfolder.errors import BadSpec, ConfigError, JobError, NotYet, Problem, RejectedInput
from hotfolder.intake import chains, language, prompts, texts, unfolding
from hotfolder.intake.completing import Completer
from hotfolder.intake.pairing import COMPANIONS, Group, is_picture, stem
from hotfolder.intake.parts import ALONE, Draft, Handed, Part
from hotfolder.intake.presets import HotFolder, Presets
from hotfolder.intake.words import KEY_ALIASES
from hotfolder.models.placement import Machine
from hotfolder.spec import JobSpec
from hotfolder.workspace import Workspace
from hotfolder.yamlfile import Document

MAX_TEXT_BYTES = 1 << 20


@dataclass(frozen=True)
class Admission:
    """What a group becomes. `hot_folder` and `name` are paths: the folder's in the inbox, the drop's in the folder."""

    group: Group
    hot_folder: str
    name: str
    drafts: tuple[Draft, ...]

    @property
    def is_waiting(self) -> bool:
        return all(draft.wait for draft in self.drafts)


@dataclass(frozen=True)
class Admitter:
    """Turns groups into admissions. `find_input(sha256)` looks a file up that was taken in before; `machine` says what
    models can run on, `fetches` what is to be said of models on their way here."""

    workspace: Workspace
    presets: Presets
    find_input: Callable[[str], Path | None]
    draw: random.Random
    machine: Callable[[], Machine]
    fetches: Mapping[str, str] = field(default_factory=dict)

    def admit(self, group: Group) -> Admission:
        """Read, pair and validate one group; never raises for what a user dropped."""
        kind = "unknown"
        hot_name, name = "", group.primary.path
        try:
            hot = self.presets.of(group.folder)
            kind = hot.kind or kind
            hot_name, name = hot.name, group.primary.path.removeprefix(f"{hot.name}/")
            drafts = self._drafts(group, hot)
        except NotYet as reason:
            drafts = (Draft(_stem(name), JobSpec(kind=kind), wait=str(reason)),)
        except (JobError, ConfigError) as error:
            drafts = (Draft(_stem(name), JobSpec(kind=kind), error=_naming(str(error), group)),)
        return Admission(group, hot_name or group.folder or "inbox", name, drafts)

    def _drafts(self, group: Group, hot: HotFolder) -> tuple[Draft, ...]:
        if group.waits_for:
            raise NotYet(f"waits for {names.display(group.waits_for)}, the picture it belongs to")
        if group.refusal:
            raise RejectedInput(names.display(group.refusal))
        if hot.kind is None and not self._says_its_kind(group):
            place = f"the folder inbox/{names.display(group.folder)}" if group.folder else "the inbox itself"
            raise NotYet(
                f"{place} has no kind of job; move the file into a hot folder such as inbox/upscale/, or write "
                "`kind: upscale` into a folder.yaml beside it"
            )
        for entry in group.members.values():
            if entry.signature.size == 0:
                raise NotYet(f"{names.display(entry.name)} is empty; waits for its content")
        if "prompts" in group.members:
            return self._from_prompts(group, hot)
        if hot.intake.require_sidecar and "job" not in group.members:
            raise NotYet(f"waits for its job file {names.display(group.primary.name)}.yaml (require_sidecar)")
        documents = self._documents(group)
        base = _stem(group.primary.name)
        drafts: list[Draft] = []
        # a finished job's own file says everything; a preset would make another picture of it
        presets = () if _is_finished_job(group) else hot.layers
        for number, document in enumerate(documents, start=1):
            label = base if len(documents) == 1 else f"{base}_{number:02}"
            layers = [*presets, *self._companion_layers(group), *([document] if document else [])]
            drafts += self._jobs(label, layers, group, hot, len(documents) > 1, len(drafts))
        return tuple(drafts)

    def _says_its_kind(self, group: Group) -> bool:
        """Whether every job of the group names its kind, so that it can do without the folder's."""
        try:
            own = {"kind", "pipeline"}
            return all(document is not None and own & document.values.keys() for document in self._documents(group))
        except JobError:
            return False

    def _documents(self, group: Group) -> list[Document | None]:
        if "job" not in group.members:
            return [None]
        entry = group.members["job"]
        found = yamlfile.parse(self._read(entry.path), names.display(entry.name))
        if not found:
            raise NotYet(f"{names.display(entry.name)} says nothing yet; waits for its content")
        return list(found)

    def _read(self, path: str) -> bytes:
        try:
            with open(self.workspace.inbox / path, "rb") as file:
                data = file.read(MAX_TEXT_BYTES + 1)
        except OSError as error:
            raise NotYet(f"{names.display(path)} cannot be read: {error.strerror}") from None
        if len(data) > MAX_TEXT_BYTES:
            raise RejectedInput(f"{names.display(path)} is larger than 1 MiB; that is no text for a job")
        return data

    def _companion_layers(self, group: Group) -> list[Document]:
        layers = []
        for role in COMPANIONS:
            if role in group.members:
                name = group.members[role].name
                value = name if role == "mask" else {"image": name}
                layers.append(Document(names.display(name), {role: value}, {}))
        if "prompt" in group.members:
            name = names.display(group.members["prompt"].name)
            text = texts.decode(self._read(group.members["prompt"].path), name).strip()
            if not text:
                raise NotYet(f"{name} is empty; waits for its content")
            layers.append(Document(name, {"prompt": text}, {}))
        return layers

    def _from_prompts(self, group: Group, hot: HotFolder) -> tuple[Draft, ...]:
        entry = group.members["prompts"]
        kind = hot.kind or ""
        if kind != "pipeline" and not (kind in CAPABILITIES and CAPABILITIES[kind].needs == {"prompt"}):
            raise NotYet("a text file of prompts is for inbox/generate/; here it waits for a picture of its name")
        name = names.display(entry.name)
        lines = prompts.prompt_lines(self._read(entry.path), name)
        if not lines:
            raise NotYet(f"{name} holds no prompt yet; waits for its content")
        base, digits = _stem(entry.name), max(3, len(str(len(lines))))
        if hot.kind == "pipeline" or chains.is_chain(lines, name):
            return tuple(self._jobs(base, [*hot.layers, chains.from_lines(lines, name)], group, hot, False, 0))
        drafts: list[Draft] = []
        for number, (line, text) in enumerate(lines, start=1):
            document = Document(name, {"prompt": text}, {("prompt",): line})
            label = f"{base}_{number:0{digits}}"
            drafts += self._jobs(label, [*hot.layers, document], group, hot, len(lines) > 1, len(drafts))
        return tuple(drafts)

    def _jobs(
        self, label: str, layers: list[Document], group: Group, hot: HotFolder, several: bool, place: int
    ) -> list[Draft]:
        """The jobs of one document, the first of them at `place` in the drop. What is wrong or missing with it concerns
        it alone, not its neighbours; of `several` one without a prompt fails, for their file goes on without it and
        nobody could add one."""
        draft = Draft(label, JobSpec(kind=hot.kind or "unknown"))
        try:
            spec = language.resolve(layers, hot.kind)
            draft = replace(draft, spec=spec, name=names.clean(spec.name) if spec.name else label)
            member, source = self._input(spec, group, hot)
            path = self.workspace.inbox / group.members[member].path if member else source
            names_one = len(group.late_for) == 1 and "image" in CAPABILITIES[spec.kind].uses  # photo.png.yaml
            if path is None and group.late_for and (names_one or unfolding.needs_picture(spec)):
                name = names.display(group.late_for[0])
                wanted = name if len(group.late_for) == 1 else f"a picture named {stem(name)}"
                raise NotYet(f"waits for {wanted} beside it, or for `image:` in it")
            draft = replace(draft, member=member, source=source)
            parts = unfolding.unfold(spec, layers, path, self.completer)
        except (NotYet, JobError, ConfigError) as error:
            return [self._stopped(draft, error, layers, group, hot)]
        drafts = [self._part(draft, part, place) for part in parts]
        if any(len(part.after) == 1 for part in parts):
            return self._chain(draft, drafts, parts, group, hot, several)
        return [self._ready(one, part, ALONE, group, hot, several) for one, part in zip(drafts, parts, strict=True)]

    def _part(self, draft: Draft, part: Part, place: int) -> Draft:
        """Return one job of those that a draft stands for."""
        own = part.spec.name
        name = names.clean(own) if own and own != draft.spec.name else f"{draft.name}{part.ending}"
        one = replace(draft, spec=part.spec, name=name, after=tuple(place + number for number in part.after))
        return one if part.takes_picture and not part.after else replace(one, member=None, source=None)

    def _chain(
        self, draft: Draft, drafts: list[Draft], parts: Sequence[Part], group: Group, hot: HotFolder, several: bool
    ) -> list[Draft]:
        """Return the steps of a chain, all ready; or waiting, all for one of them; or one draft that says why not."""
        handed = [ALONE, *(chains.promised(one.spec, two.spec) for one, two in itertools.pairwise(parts))]
        drafts = [
            self._ready(one, part, given, group, hot, several)
            for one, part, given in zip(drafts, parts, handed, strict=True)
        ]
        if wrong := [one.error for one in drafts if one.error]:
            return [replace(draft, error="\n".join(dict.fromkeys(wrong)))]
        lacking = next(
            (number for number, one in enumerate(drafts) if one.wait and one.wait != parts[number].waits), None
        )
        if lacking is None:
            return drafts
        reason = f"waits until {parts[lacking].label}, can run"
        return [one if number == lacking else replace(one, wait=reason) for number, one in enumerate(drafts)]

    def _ready(self, draft: Draft, part: Part, handed: Handed, group: Group, hot: HotFolder, several: bool) -> Draft:
        """Return a draft that can run, now or after others; or one that says what it lacks, or what is wrong."""
        where = names.display(group.primary.name)
        try:
            spec = part.spec
            if several and "prompt" in CAPABILITIES[spec.kind].needs and not (spec.prompt or handed.prompt):
                raise BadSpec([part.layers[-1].problem(("prompt",), "this job needs a prompt")])
            if not part.after and not (draft.member or draft.source):
                member, source = self._input(spec, group, hot) if part.takes_picture else self._named(spec, group)
                draft = replace(draft, member=member, source=source)
            draft = replace(draft, pictures=self._pictures(spec, group))
            path = self.workspace.inbox / group.members[draft.member].path if draft.member else draft.source
            draft = self.completer.complete(draft, path, where, handed)
            return replace(draft, wait=part.waits, model="") if part.after else draft
        except (NotYet, JobError, ConfigError) as error:
            return self._stopped(draft, error, part.layers, group, hot, part.label)

    def _stopped(
        self,
        draft: Draft,
        error: NotYet | JobError | ConfigError,
        layers: Sequence[Document],
        group: Group,
        hot: HotFolder,
        label: str = "",
    ) -> Draft:
        """Return a draft that says why it cannot run; `label` is how its part is called."""
        prefix = f"{label}: " if label else ""
        if isinstance(error, NotYet):
            return replace(draft, wait=f"{prefix}{error}", model=error.model)
        if not isinstance(error, BadSpec):
            return replace(draft, error=_naming(f"{prefix}{error}", group))
        problems = [_placed(problem, layers) for problem in error.problems]
        said = "\n".join(map(str, problems))
        presets = {layer.name for layer in hot.layers}
        if all(problem.file in presets for problem in problems):
            return replace(draft, wait=f"the folder's preset has to be mended: {said}")
        return replace(draft, error=_naming(said, group))

    @property
    def completer(self) -> Completer:
        return Completer(self.workspace, self.draw, self.machine, self.fetches)

    def _input(self, spec: JobSpec, group: Group, hot: HotFolder) -> tuple[str | None, Path | None]:
        """Return the role of the group's own picture, or the file elsewhere that the job names."""
        if "picture" in group.members:
            return "picture", None
        if spec.image or spec.image_sha256:
            return self._named(spec, group)
        sub = self.workspace.done / group.folder
        return None, next((sub / name for name in group.late_for if (sub / name).is_file()), None)

    def _named(self, spec: JobSpec, group: Group) -> tuple[str | None, Path | None]:
        """Return the place of the picture that a job names itself, by hash or by path; no place where it names none.

        Raises:
            NotYet: it is not there, or another picture has its name by now.
        """
        if spec.image_sha256 and (path := self._by_hash(spec)):
            return None, path
        place = self._place(spec.image, "image", group) if spec.image else None
        if spec.image_sha256 and isinstance(place, Path):
            raise NotYet(
                f"waits for the picture that `{names.display(str(spec.image))}` was: it has changed since this job was "
                "written; to work on what is there now, take `image_sha256` out"
            )
        return (place, None) if isinstance(place, str) else (None, place)

    def _pictures(self, spec: JobSpec, group: Group) -> dict[str, str | Path]:
        """Return the places of a job's further pictures; raises NotYet where one is not there, or BadSpec."""
        capability = CAPABILITIES[spec.kind]
        named = capability.pictures(spec, capability.Options(**spec.options))
        return {key: self._place(name, key, group) for key, name in named.items()}

    def _place(self, name: str, key: str, group: Group) -> str | Path:
        """Return the role of the group's own file that a job names under a key, or the file elsewhere."""
        own = {self.workspace.inbox / entry.path: role for role, entry in group.members.items()}
        try:
            path = self.named_picture(name, self.workspace.inbox / group.folder, own)
        except ConfigError as error:
            raise BadSpec([Problem(group.primary.name, None, key, str(error))]) from None
        return own.get(path, path)

    def _by_hash(self, spec: JobSpec) -> Path | None:
        """Return the picture a .job.yaml was written for: the one it names if that is still it, else any copy."""
        with contextlib.suppress(ConfigError):
            named = self.workspace.locate(spec.image) if spec.image else None
            if named and atomic.sha256_of(named) == spec.image_sha256:
                return named
        return self.find_input(spec.image_sha256 or "")

    def named_picture(self, name: str, beside: Path, own: Collection[Path] = ()) -> Path:
        """Return the file that a job names. One in the inbox has to be among its `own`: others may not be complete,
        and go their own way to done/, where this finds them then.

        Raises:
            NotYet: it is not there.
            ConfigError: it can never be.
        """
        path = self.workspace.locate(name, beside)
        if path is None:
            raise NotYet(f"waits for the picture `{names.display(name)}`, which is not there")
        if path.is_relative_to(self.workspace.inbox) and path not in own:
            raise NotYet(f"waits for the picture `{names.display(name)}`, which is still on its way through the inbox")
        return path


def _is_finished_job(group: Group) -> bool:
    return "picture" not in group.members and group.primary.name.lower().endswith(".job.yaml")


def _placed(problem: Problem, layers: Sequence[Document]) -> Problem:
    """Return a problem that knows only its key with the file and line where that key is written."""
    if problem.line or not problem.key:
        return problem
    for layer in reversed(layers):
        for key in layer.values:
            if KEY_ALIASES.get(key, key) == problem.key and (key,) in layer.lines:
                return layer.problem((key,), problem.message)
    return problem


def _naming(said: str, group: Group) -> str:
    """Return a message that names a file of the group, as all do that are read in a list of many."""
    known = [names.display(entry.name) for entry in group.members.values()]
    return said if any(name in said for name in known) else f"{known[0]}: {said}"


def _stem(name: str) -> str:
    base = PurePosixPath(name).name
    base = (stem(base) or base).removesuffix(".job")
    if is_picture(base) and stem(base):
        base = stem(base)  # of photo.png.yaml
    return names.clean(base, spare="job")
