"""HOST:PORT, as settings write it."""

from __future__ import annotations

import re

from gemel.core.errors import ConfigInvalid


def address(text: str, name: str) -> tuple[str, int]:
    """Splits HOST:PORT ([v6]:PORT too).

    Raises:
        ConfigInvalid: it is not of that form.
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:]+)\]|([^:\s\[\]]*)):(\d{1,5})", text.strip())
    if not match or int(match[3]) > 65_535:
        raise ConfigInvalid(
            f"{name}: '{text}' is not HOST:PORT", hint="write it like 127.0.0.1:8080"
        )
    return match[1] or match[2] or "127.0.0.1", int(match[3])
