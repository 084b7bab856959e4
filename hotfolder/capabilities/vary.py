"""Make small variations of a picture from what it says of itself: its own seed, its noise moved towards others."""

from hotfolder.capabilities.base import Recipe
from hotfolder.spec import JobSpec, Variation


class Vary(Recipe):
    kind = "vary"
    aliases = ("variation", "variations")
    uses = frozenset(JobSpec.model_fields) - {"pipeline", "matrix", "options", "seed"}
    """What the job in the picture may be given anew; its seed is what is kept."""
    needs = frozenset({"image"})

    Options = Variation
