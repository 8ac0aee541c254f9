"""Columns of readings as bytes: a head in JSON, then each column as it lies in memory.

A chart of a million readings is 4 per pixel; as numbers of 8 bytes they are a third of their JSON,
and the page reads them without parsing. The form is in docs/reference/http.md.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import orjson
from starlette.responses import Response

from gemel.core.document import Json

MEDIA_TYPE = "application/vnd.gemel.columns"
ALIGNED = 8
COLUMNS = {"time": "<f8", "value": "<f8", "received": "<f8", "quality": "<u1"}


def columns_response(body: Json) -> Response:
    """Args: body: as the JSON answer, `series` with arrays; other fields go into the head."""
    heads, parts = [], []
    for series in body["series"]:
        head, columns = _split(series)
        heads.append(head)
        parts += columns
    content = orjson.dumps({**body, "series": heads})
    content += b" " * (-(len(content) + 4) % ALIGNED)
    return Response(
        b"".join([struct.pack("<I", len(content)), content, *parts]), media_type=MEDIA_TYPE
    )


def _split(series: Json) -> tuple[Json, list[bytes]]:
    """(head, columns): a quality that is good throughout is left out."""
    names, parts = [], []
    for name, kind in COLUMNS.items():
        column = series.get(name)
        if column is None or (name == "quality" and not np.any(column)):
            continue
        content = np.asarray(column, kind).tobytes()
        names.append(name)
        parts.append(content + b"\0" * (-len(content) % ALIGNED))
    head: dict[str, Any] = {n: v for n, v in series.items() if n not in COLUMNS}
    return {**head, "count": len(series["time"]), "columns": names}, parts
