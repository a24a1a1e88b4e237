"""Thumbnails for the grid and the full picture of an item."""

import io
import struct
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from app import context
from app.routes.guard import RefusedError, ids_in, required
from app.routes.pages import MAX_PAGE
from app.tokens import Claim
from diagnostics.image_files import decode_image

SHOWN_DIRECTLY = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}


def thumbs(request: Request, _claim: Claim, _body: Any) -> Response:
    """GET /api/thumbs: uint32 count, that many uint32 lengths (little-endian), then the JPEG bytes."""
    ids = ids_in(request, at_most=MAX_PAGE)
    try:
        jpegs = context.thumbnails(ids)
    except KeyError as error:
        raise RefusedError(404, f"There is no item {error}.") from error
    header = struct.pack(f"<{len(jpegs) + 1}I", len(jpegs), *(len(jpeg) for jpeg in jpegs))
    return Response(
        header + b"".join(jpegs),
        media_type="image/jpeg",
        headers={"Cache-Control": "private, max-age=3600"},
    )


def image(request: Request, _claim: Claim, _body: Any) -> Response:
    """GET /api/image: the full picture, as it is if a browser can show it, else as PNG."""
    data = context.current_project().read_image(required(request, "id"))
    with Image.open(io.BytesIO(data)) as picture:
        media_type = SHOWN_DIRECTLY.get(picture.format or "")
    if media_type is None:
        out = io.BytesIO()
        decode_image(data).save(out, "PNG")
        data, media_type = out.getvalue(), "image/png"
    return Response(data, media_type=media_type)
