"""Which files belong together: a picture, its job file, its companions, its caption.

Pure: names in, groups out.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hotfolder.images import SUFFIXES
from hotfolder.intake.scan import PAUSE_NAMES, PRESET, Entry

COMPANIONS = ("mask", "control", "style", "face")
JOB_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Group:
    """The files of one drop. `primary` names it; `members` maps a role to a file.

    Roles: `picture`, `job` (a .yaml), `prompts` (a .txt), `mask`, `control`, `style`, `face`, `prompt`, `caption`,
    `history` (the .job.yaml of this very picture), `job2`, `picture2` ... (of an ambiguous group).
    """

    primary: Entry
    members: dict[str, Entry]
    refusal: str | None = None
    waits_for: str | None = None
    late_for: tuple[str, ...] = field(default=())
    """Names of the picture that a job file, found alone, may belong to."""

    @property
    def folder(self) -> str:
        return self.primary.folder


def is_picture(name: str) -> bool:
    return PurePosixPath(name.lower()).suffix in SUFFIXES


def stem(name: str) -> str:
    return name.rpartition(".")[0]


def pair(entries: Iterable[Entry]) -> tuple[list[Group], list[Entry]]:
    """Group the files of the inbox; returns the groups and the files that are nobody's (unknown kinds of file)."""
    folders: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        folders[entry.folder][entry.name] = entry
    groups: list[Group] = []
    strangers: list[Entry] = []
    for folder, names in folders.items():
        made, left = _pair_folder(names, is_root=folder == "")
        groups += made
        strangers += left
    return groups, strangers


def _pair_folder(names: dict[str, Entry], is_root: bool) -> tuple[list[Group], list[Entry]]:
    rest = {name: entry for name, entry in names.items() if name.lower() != PRESET}
    if is_root:
        rest = {name: entry for name, entry in rest.items() if name.lower() not in PAUSE_NAMES}
    # the shorter name first: a.png.yaml belongs to a.png before it could belong to a.png.png
    pictures = sorted(filter(is_picture, rest), key=lambda name: (len(name), name))
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in pictures:
        by_stem[stem(name)].append(name)

    companions: dict[str, list[tuple[str, str]]] = defaultdict(list)
    groups = []
    for name in pictures:
        role = PurePosixPath(stem(name)).suffix[1:].lower()
        if role not in COMPANIONS:
            continue
        owner = by_stem.get(stem(stem(name)), [])
        if owner:
            companions[owner[0]].append((role, name))
        else:
            entry = rest.pop(name)
            groups.append(Group(entry, {role: entry}, waits_for=f"{stem(stem(name))}{PurePosixPath(name).suffix}"))
    taken = {name for owned in companions.values() for _, name in owned}
    for owned in companions.values():
        for _, name in owned:
            by_stem.pop(stem(name), None)

    for name in pictures:
        if name in taken or name not in rest:
            continue
        group = _picture_group(name, rest, by_stem[stem(name)], companions[name])
        groups.append(group)
        for entry in group.members.values():
            del rest[entry.name]
    strangers = []
    for name, entry in rest.items():
        if name.lower().endswith(JOB_SUFFIXES):
            groups.append(Group(entry, {"job": entry}, late_for=_pictures_meant_by(name)))
        elif name.lower().endswith(".txt"):
            groups.append(Group(entry, {"prompts": entry}))
        else:
            strangers.append(entry)
    return groups, strangers


def _picture_group(name: str, rest: dict[str, Entry], twins: list[str], companions: list[tuple[str, str]]) -> Group:
    members = {"picture": rest[name]}
    refusal = None
    for role, companion in companions:
        if role in members:
            refusal = f"{companion} and {members[role].name} are both the {role} of {name}; keep one"
            role += "2"
        members[role] = rest[companion]
    base = stem(name)
    own = [f"{name}{suffix}" for suffix in JOB_SUFFIXES if f"{name}{suffix}" in rest]
    shared = [f"{base}{suffix}" for suffix in JOB_SUFFIXES if f"{base}{suffix}" in rest]
    if len(twins) > 1 and shared and twins[0] == name:
        refusal = f"{shared[0]} could belong to {' or '.join(twins)}; name it after one, as {name}.yaml"
        members |= {f"picture{n}": rest[twin] for n, twin in enumerate(twins[1:], start=2)}
    jobs = own + shared
    if len(jobs) > 1:
        refusal = f"{' and '.join(jobs)} are both job files of {name}; keep one"
    for number, job in enumerate(jobs, start=1):
        members["job" if number == 1 else f"job{number}"] = rest[job]
    for role, suffix in (("history", ".job.yaml"), ("prompt", ".prompt.txt"), ("caption", ".txt")):
        if f"{base}{suffix}" in rest and (len(twins) == 1 or twins[0] == name):
            members[role] = rest[f"{base}{suffix}"]
    return Group(rest[name], members, refusal=refusal)


def _pictures_meant_by(job_name: str) -> tuple[str, ...]:
    inner = stem(job_name)
    if is_picture(inner):
        return (inner,)
    if inner.lower().endswith(".job"):
        return ()
    return tuple(f"{inner}{suffix}" for suffix in sorted(SUFFIXES))
