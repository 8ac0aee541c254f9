"""What an installation is: where it listens, what it keeps on disk, and since when it runs."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gemel import __version__
from gemel.app import certificates
from gemel.core.clock import to_iso
from gemel.core.document import Json

if TYPE_CHECKING:
    from gemel.app.platform import Platform

PARTS = {"history": "history", "runs": "runs", "fits": "fits", "attachments": "attachments"}
"""Folders that are counted by themselves; what remains is `documents`."""


@dataclass(slots=True)
class Listening:
    """Since when and where a server listens; filled in as it starts."""

    started: int
    """ns since 1970 UTC."""
    addresses: dict[str, str] = field(default_factory=dict)
    """`http`, `mqtt`, `mqttTls`; "" for what is not open."""
    authority: str = ""
    """The file of the own certificate authority; "" without one."""


async def installation(platform: Platform) -> Json:
    """The installation, with what it takes on disk now."""
    folder = platform.folder.path
    loop = asyncio.get_running_loop()
    storage = await loop.run_in_executor(None, _storage, folder)
    listening = platform.listening
    return {
        "version": __version__,
        "started": to_iso(listening.started),
        "plant": platform.catalogue.plant_name,
        "addresses": dict(listening.addresses),
        "isSecure": listening.addresses.get("http", "").startswith("https"),
        "authority": certificates.fingerprint(Path(listening.authority))
        if listening.authority
        else None,
        "storage": storage,
        "readings": platform.history.statistics().readings,
        "retentionDays": platform.config.retention_days,
    }


def _storage(folder: Path) -> Json:
    found: Json = {name: _size(folder / part) for name, part in PARTS.items()}
    found["documents"] = sum(
        entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()
    )
    return {"folder": str(folder.resolve()), "free": shutil.disk_usage(folder).free, "bytes": found}


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue  # merged away meanwhile
    return total
