"""What a job needs before it can run: its input looked at, its model chosen and here, its pictures planned."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hotfolder import images
from hotfolder.capabilities import CAPABILITIES, variant_of
from hotfolder.errors import BadSpec, ConfigError, NotYet, Problem, Unsupported
from hotfolder.intake import prompts
from hotfolder.intake.pairing import is_picture, stem
from hotfolder.intake.parts import ALONE, Draft, Handed
from hotfolder.models import entries, loras
from hotfolder.models import profile as profiles
from hotfolder.models.placement import Machine
from hotfolder.spec import JobSpec, literal
from hotfolder.workspace import Workspace


@dataclass(frozen=True)
class Completer:
    """Makes drafts ready to run. `machine` says what models can run on, `fetches` what is to be said of models on their
    way here."""

    workspace: Workspace
    draw: random.Random
    machine: Callable[[], Machine]
    fetches: Mapping[str, str]

    def complete(self, draft: Draft, path: Path | None, where: str, handed: Handed = ALONE) -> Draft:
        """Return the draft ready to run: its input looked at, its model chosen, its pictures planned.

        Args:
            path: the picture it works on, None for none.
            where: the dropped file's name, for messages.
            handed: what the job before it hands on; that counts for its pictures, and is not written into its spec,
                by which it is known when it is tried again.

        Raises:
            NotYet: something is missing that may come.
            JobError, ConfigError: it can never run.
        """
        capability = CAPABILITIES[draft.spec.kind]
        words = literal(handed.prompt) if handed.prompt else draft.spec.prompt
        given = {"prompt": words, "mask": handed.mask or draft.spec.mask}
        spec = draft.spec.model_copy(update=given)
        if path and "image" not in capability.uses:
            raise Unsupported(f"{where}: `{spec.kind}` takes no picture; drop it into the folder of another kind")
        if "image" in capability.needs and not (path or handed.has_picture):
            raise NotYet("needs a picture: name one with `image:`")
        if "prompt" in capability.needs and not spec.prompt:
            beside = f"put it into {stem(where)}.prompt.txt beside it" if is_picture(where) else None
            raise NotYet(f"needs a prompt: {beside or f'write `prompt:` into {where}'}")
        options = capability.Options(**spec.options)
        sniffed = self._sniffed(path, where) if path else None
        if lack := capability.lacks(spec, options, has_alpha=sniffed is None or sniffed.has_alpha):
            raise NotYet(lack)
        capability.check(spec, options, (sniffed.width, sniffed.height) if sniffed else None)
        choice = self.choose(spec, where)
        planned = prompts.plan(spec, self.workspace.wildcards, self.draw)
        if handed.prompt:
            planned = tuple(one.model_copy(update={"template": None}) for one in planned)
        given = {key: getattr(draft.spec, key) for key in given}
        if choice is None or not choice.entry.is_loaded:  # resampling belongs to no profile
            update = {"profile": None, "model": choice.entry.name if choice else None}
            return replace(draft, spec=spec.model_copy(update=given | update), planned=planned)
        spec = choice.filled(spec).model_copy(update={"profile": choice.profile, "model": choice.entry.name})
        self.refuse_what_cannot_run(choice, spec)
        for kind in capability.helpers(spec, options):
            helped = spec.helper(kind)
            try:
                helper = self.choose(helped, where)
            except BadSpec as error:  # an `upscaler` is the one helper that a job names
                raise BadSpec([replace(problem, key="upscaler") for problem in error.problems]) from None
            assert helper
            self.refuse_what_cannot_run(helper, helped)
        return replace(draft, spec=spec.model_copy(update=given), planned=planned, model=choice.entry.name)

    def refuse_what_cannot_run(self, choice: profiles.Choice, spec: JobSpec) -> None:
        """Raise NotYet for a model or a LoRA that is not on this machine, or does not fit it, and RejectedInput for a
        LoRA of another model."""
        models = self.workspace.models
        try:
            here = entries.weights_bytes(entries.weights_folder(choice.entry, models))
        except entries.Incomplete as missing:
            raise self._on_its_way(missing) from None
        except NotYet as missing:
            try:  # what cannot run here need not be fetched
                choice.placement(spec, self.machine(), None)
            except NotYet as unfit:
                raise NotYet(f"{unfit}; and {missing}") from None
            raise self._on_its_way(missing) from None
        choice.placement(spec, self.machine(), here)
        try:
            loras.chosen(spec.loras, models, choice.entry)
        except NotYet as missing:
            raise self._on_its_way(missing) from None

    def _on_its_way(self, missing: NotYet) -> NotYet:
        """Return what is to be said of weights that are not here, where more is known than that."""
        return NotYet(self.fetches.get(missing.model, str(missing)), missing.model)

    def choose(self, spec: JobSpec, where: str) -> profiles.Choice | None:
        """Return what serves a job; one that cannot run because of the settings alone waits for them."""
        place, has_card = self.workspace, self.machine().device != "cpu"
        try:
            settings = place.settings.profile, place.profiles, place.models
            return profiles.choose(spec, *settings, where, has_card, variant_of(spec))
        except ConfigError as error:
            if spec.profile:
                raise BadSpec([Problem(where, None, "profile", str(error))]) from None
            raise NotYet(f"the settings have to be mended: {error}") from None

    def _sniffed(self, path: Path, where: str) -> images.Sniffed:
        try:
            return images.sniff(path, int(self.workspace.settings.max_megapixels * 1_000_000))
        except PermissionError:
            raise NotYet(f"{where} may not be read (permission denied); waits until it may") from None
        except FileNotFoundError:
            raise NotYet(f"{where} has just gone; waits for it") from None
