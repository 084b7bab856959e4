"""Text files as people save them."""

from typing import NoReturn

from hotfolder import names, yamlfile
from hotfolder.errors import BadSpec, Problem

MAX_BYTES = 1024 * 1024


def decode(data: bytes, name: str, limit_bytes: int = MAX_BYTES) -> str:
    """Return a text file, of at most 1 MiB if nothing else is said: UTF-8, or UTF-16 with a byte order mark. Raises
    BadSpec for another."""

    def refuse(line: int | None, message: str) -> NoReturn:
        raise BadSpec([Problem(name, line, None, message)])

    if len(data) > limit_bytes:
        refuse(None, f"the file is {len(data):,} bytes long; at most {limit_bytes:,} are read")
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        refuse(data.count(b"\n", 0, error.start) + 1, "this is not UTF-8 text; save the file as UTF-8")
    if bad := yamlfile.CONTROL.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        refuse(line, f"there is a control character ({names.display(bad.group())}) here; take it out")
    return text
