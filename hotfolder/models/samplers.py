"""The samplers that fit flow-matching models, under the names that people know them by. Importing it imports no torch.

A sampler is a solver and how the noise levels are spread. The levels come of the model's own scheduler, its shift
included; a solver only walks them in another way.

**Source**: diffusers (Apache-2.0): FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler,
DPMSolverMultistepScheduler, UniPCMultistepScheduler. Names: AUTOMATIC1111's and Forge's menus, ComfyUI's
`sampler_name`, diffusers' classes. Stochastic solvers and those for models that predict noise do not fit.
"""

import re
from dataclasses import dataclass
from typing import Any

from hotfolder.errors import BadSpec, Problem

SOLVERS = {
    "Euler": ("euler", "eulerdiscrete", "flowmatcheuler", "flowmatcheulerdiscrete"),
    "DPM++ 2M": ("dpmpp2m", "dpmpp", "dpmsolverpp", "dpmsolvermultistep"),
    "Heun": ("heun", "heundiscrete", "flowmatchheun", "flowmatchheundiscrete"),
    "UniPC": ("unipc", "unipcbh2", "unipcmultistep"),
}
"""Name -> how it is written, without case, spaces and signs, `++` as `pp`."""

SCHEDULES = {"": ("", "simple", "normal", "sgmuniform", "automatic"), "Karras": ("karras",),
             "Exponential": ("exponential",)}  # fmt: skip
"""Name -> what follows the solver's; the first is the model's own spacing."""


@dataclass(frozen=True)
class Sampler:
    """A solver and a spacing, both by their names above."""

    solver: str
    schedule: str

    @property
    def name(self) -> str:
        return f"{self.solver} {self.schedule}".strip()

    def scheduler(self, own: dict[str, Any]) -> Any:
        """Return a fresh diffusers scheduler; `own` is the configuration of the model's own one."""
        import diffusers

        spacing = {f"use_{name.lower()}_sigmas": name == self.schedule for name in SCHEDULES if name}
        own = {**own, **spacing}
        if self.solver == "Euler":
            return diffusers.FlowMatchEulerDiscreteScheduler.from_config(own)
        from hotfolder.models import solvers

        return solvers.BY_NAME[self.solver].over(own)


def find(words: str | None) -> Sampler:
    """Return the sampler that is meant, Euler for None; raises LookupError whose text names those there are."""
    plain = re.sub(r"[^a-z0-9]", "", (words or "euler").casefold().replace("++", "pp")).removeprefix("k")
    for schedule, endings in SCHEDULES.items():
        for ending in endings:
            for solver, names in SOLVERS.items():
                if plain.removesuffix("scheduler") in {name + ending for name in names}:
                    return Sampler(solver, schedule)
    known = f"{', '.join(list(SOLVERS)[:-1])} or {list(SOLVERS)[-1]}"
    raise LookupError(
        f"`{words}` does not fit flow models such as FLUX; there are {known}, each also with Karras or Exponential"
    )


def check(words: str | None) -> Sampler:
    """Return the sampler that a job means; raises BadSpec where it does not fit."""
    try:
        return find(words)
    except LookupError as error:
        raise BadSpec([Problem("the job", None, "sampler", error.args[0])]) from None
