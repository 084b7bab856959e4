"""The compare page."""

from typing import Any

from datasette.utils.asgi import Response

from hotfolder.browse import pages


async def page(datasette: Any, request: Any) -> Response:
    return await pages.render(datasette, request, "compare")
