"""A chain: steps of other kinds, each of which works on what the one before it made. The intake takes it apart."""

from hotfolder.capabilities.base import Recipe


class Pipeline(Recipe):
    kind = "pipeline"
    aliases = ("chain",)
    uses = frozenset({"pipeline", "image", "prompt", "mask", "seed", "variants"})
    needs = frozenset({"pipeline"})
    ignores = frozenset({"model"})
