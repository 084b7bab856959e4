"""Where weights quantised to NF4 are kept, and which of them are of use no more. Imports no torch."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from hotfolder.errors import NotYet
from hotfolder.models import entries, sources
from hotfolder.models.families import FAMILIES, discover
from hotfolder.models.families.base import PartClass
from hotfolder.models.sources import Source

FORMAT = "1"
"""Part of a file's name: another number, and all is quantised anew."""


def file_of(kind: PartClass, source: Source, models: Path) -> Path:
    """Return where the quantised form of a part lies, or will: it is named after the files that it was made of."""
    names = "\n".join([FORMAT, kind.name, *map(sources.name_of, source.files)])
    return models / "quantized" / f"{kind.name}-nf4-{hashlib.sha256(names.encode()).hexdigest()[:16]}.safetensors"


def orphans(models: Path) -> list[Path]:
    """Return the kept files that no weights on this machine would be served by, and what was begun and not finished."""
    discover()
    wanted = {path.name for entry in entries.known(models).values() for path in _of(entry, models)}
    return [path for path in sorted((models / "quantized").glob("*-nf4-*")) if path.name not in wanted]


def _of(entry: entries.ModelEntry, models: Path) -> Iterator[Path]:
    """Yield where the parts of a model lie that may be quantised; nothing for one whose weights are not here."""
    if not entry.is_loaded or entry.lora_for:
        return
    try:
        place = entries.weights_folder(entry, models)
        for name, kind in FAMILIES[entry.family].PARTS.items():
            if kind.nf4:
                yield file_of(kind, sources.find(entry, "" if kind.at_root else name, place, models), models)
    except (NotYet, FileNotFoundError):
        return
