"""The order of names as people count: `Motor 2` before `Motor 10`, upper and lower case alike."""

from __future__ import annotations

import re

DIGITS = re.compile(r"[0-9]+")


def natural(name: str) -> str:
    """A text that sorts as the name is meant to: each number by its size, before any letter.

    The page has the same in `ui/src/core/naming.ts`; both are held to `tests/core/naming.json`.
    """
    return DIGITS.sub(_number, name.casefold())


def _number(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0") or "0"
    return f"\0{chr(len(digits))}{digits}"
