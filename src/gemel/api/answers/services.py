"""What is answered about services: their instances."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from gemel.api.answers.schema import Value

ServiceView = TypedDict(
    "ServiceView",
    {
        "id": str,
        "kind": str,
        "title": str,
        "model": str | None,
        "twins": list[str] | None,
        "as": NotRequired[str],
        "parameters": dict[str, Value],
        "schedule": dict[str, Value],
        "autonomy": Literal["observe", "advise", "approve", "act"],
        "enabled": bool,
        "version": int,
        "isRunning": bool,
        "problem": str,
    },
)
