"""What clocked rules remember, as JSON: arrays as text, so that NaN and infinities survive."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from gemel.core.batch import I64
from gemel.services.rules.table import NEVER, Standing


def packed_standing(standing: Standing) -> dict[str, Any]:
    columns = {name: getattr(standing, name) for name in ("active", "since", "flipped")}
    return {"condition": standing.condition, "twins": standing.twins, **packed(columns)}


def unpacked_standing(doc: Mapping[str, Any]) -> Standing:
    columns = unpacked({name: doc[name] for name in ("active", "since", "flipped")})
    never: I64 = np.full(len(doc["twins"]), NEVER, np.int64)
    return Standing(
        doc["condition"],
        list(doc["twins"]),
        columns["active"],
        columns["since"],
        never,
        columns["flipped"],
    )


def packed(found: Any) -> Any:
    """The same with arrays as text; NaN and infinities survive."""
    if isinstance(found, np.ndarray):
        data = base64.b85encode(np.ascontiguousarray(found).tobytes()).decode()
        return {"$array": data, "type": found.dtype.str, "shape": list(found.shape)}
    if isinstance(found, dict):
        return {key: packed(part) for key, part in found.items()}
    if isinstance(found, list):
        return [packed(part) for part in found]
    return found


def unpacked(found: Any) -> Any:
    if isinstance(found, dict) and "$array" in found:
        raw = np.frombuffer(base64.b85decode(found["$array"]), np.dtype(found["type"]))
        return raw.reshape(found["shape"]).copy()
    if isinstance(found, dict):
        return {key: unpacked(part) for key, part in found.items()}
    if isinstance(found, list):
        return [unpacked(part) for part in found]
    return found
