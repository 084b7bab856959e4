"""Python runs this at its start where this folder is on PYTHONPATH: it plants into hotfolder what a trial names."""

import os

if _names := os.environ.get("PROVE_PLANTED"):
    import faults  # noqa: F401 - registers what can be planted
    import worlds  # noqa: F401
    from planting import plant

    plant(_names)
