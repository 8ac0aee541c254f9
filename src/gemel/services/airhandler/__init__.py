"""Set points of an air handler and its zones. Read `zones`, `equipment`, `search`, then `runs`."""

from __future__ import annotations

from gemel.services.airhandler.kind import KIND

__all__ = ["KIND"]
