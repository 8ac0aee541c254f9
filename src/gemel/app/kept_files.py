"""Files beside the documents: whether each is, byte by byte, what was stored.

What a document names has its SHA-256 in the document or for a name; packs and the cursors of events
and exports carry a checksum, and files of import jobs and logs of runs have one beside them;
certificates and keys must fit each other, and the key that signs what it signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from gemel.app import audit, certificates, event_cursors, export_cursors, sums
from gemel.app.fits import FOLDER as FITS
from gemel.app.foreign import DOCUMENT as MODEL
from gemel.app.foreign import FOLDER as MODELS
from gemel.app.geometries import DOCUMENT as GEOMETRY
from gemel.app.geometries import FOLDER as GEOMETRIES
from gemel.app.runs import FOLDER as RUNS
from gemel.app.scenarios import FOLDER as SCENARIOS
from gemel.app.snapshot import ATTACHMENTS, DOCUMENTS, IMPORTS
from gemel.backends.upkeep import current
from gemel.connect.opcua import identity
from gemel.connect.opcua.settings import FOLDER as OPCUA
from gemel.core.document import Json
from gemel.core.errors import Damaged, GemelError
from gemel.services.packing import unpack

CHANGED = "is not what was stored (SHA-256)"
PACKS = (f"{FITS}/*/*.pack", f"{SCENARIOS}/*.pack", f"{RUNS}/*/*.pack")

Named = dict[str, str]
"""Files by their name below the data folder, each with its SHA-256, "" where none is known."""


def faults(data: Path) -> Iterator[Json]:
    """What is not as it was stored; documents that cannot be read are named elsewhere."""
    yield from _named_faults(data)
    for pattern in PACKS:
        for path in sorted(data.glob(pattern)):
            yield from _fault(data, path, lambda path: unpack(path.read_bytes()))
    for path in summed(data):
        yield from _sum_fault(data, path)
    yield from _fault(data, data / event_cursors.FILE, event_cursors.read)
    yield from _fault(data, data / export_cursors.FILE, export_cursors.read)
    for name, what in certificates.faults(data / "tls"):
        yield {"file": f"tls/{name}", "what": what}
    for name, what in identity.faults(data / OPCUA):
        yield {"file": f"{OPCUA}/{name}", "what": what}
    if what := audit.key_fault(data, data / DOCUMENTS):
        yield {"file": audit.KEY_FILE, "what": what}


def summed(data: Path) -> Iterator[Path]:
    """Files that have a sum beside them."""
    for folder in (IMPORTS, RUNS):
        yield from sums.of(data / folder)


def _sum_fault(data: Path, path: Path) -> Iterator[Json]:
    try:
        what = sums.fault(path)
    except Damaged as error:
        path, what = sums.place(path), error.message
    if what:
        yield {"file": str(path.relative_to(data)), "what": what}


def _named_faults(data: Path) -> Iterator[Json]:
    wrong = {name: _difference(data / name, digest) for name, digest in _named(data).items()}
    if any(wrong.values()):  # what was deleted meanwhile is no damage
        still = _named(data)
        for name, what in wrong.items():
            if what and name in still:
                yield {"file": name, "what": what}


def _difference(path: Path, digest: str) -> str:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest() if digest else ""
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found == digest else CHANGED


def _named(data: Path) -> Named:
    found: Named = {}
    if not (data / DOCUMENTS).exists():
        return found
    with suppress(GemelError):
        for document in current(data / DOCUMENTS, ("attachment", GEOMETRY, MODEL, "fit")):
            with suppress(KeyError, TypeError):  # the chain of edits names it
                found |= _of(document.kind, document.key, document.doc)
    return found


def _of(kind: str, key: str, doc: Json) -> Named:
    match kind:
        case "attachment":
            return {f"{ATTACHMENTS}/{key}": doc["sha256"]}
        case "geometry":
            return {f"{GEOMETRIES}/{key}": key}
        case "imported":
            return {f"{MODELS}/{doc['sha256']}": doc["sha256"]}
    return {f"{FITS}/{key}/{one['version']}.pack": "" for one in doc["versions"]}


def _fault(data: Path, path: Path, read: Callable[[Path], object]) -> Iterator[Json]:
    try:
        read(path)
    except FileNotFoundError:
        return
    except (Damaged, OSError) as error:
        what = error.message if isinstance(error, Damaged) else f"cannot be read: {error}"
        yield {"file": str(path.relative_to(data)), "what": what}
