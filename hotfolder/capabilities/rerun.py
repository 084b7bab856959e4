"""Make a picture again from what it says of itself, with a new seed. The intake makes the job of it that it was."""

from hotfolder.capabilities.base import Recipe
from hotfolder.spec import JobSpec


class Rerun(Recipe):
    kind = "rerun"
    aliases = ("again", "redo")
    uses = frozenset(JobSpec.model_fields) - {"pipeline", "matrix", "options"}
    """What the job in the picture may be given anew; whether that means something to its kind is seen then."""
    needs = frozenset({"image"})
