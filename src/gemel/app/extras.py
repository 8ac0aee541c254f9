"""Libraries of extras: loaded when something needs them, missing ones told with the way out."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from gemel.core.errors import Unavailable


async def load(name: str, extra: str, words: str) -> Any:
    """A module that needs an extra, loaded beside the loop: libraries of that size take a while.

    Raises:
        Unavailable: a library that it needs is not installed.
    """
    try:
        return await asyncio.to_thread(importlib.import_module, name)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("gemel"):
            raise
        raise Unavailable(
            f"{words} needs a library that is not installed: {error.name}",
            hint=f"pip install gemel[{extra}], and start the server again",
        ) from error
