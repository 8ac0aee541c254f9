"""What is wrong in a data folder, or in a backup of one: every kind of file is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from gemel.app import audit, backup, kept_files, sums
from gemel.app.folder import INCOMPLETE
from gemel.app.snapshot import BESIDES, DOCUMENTS, FOLDER, HISTORY, IMPORTS, SESSIONS
from gemel.backends.sqlite_log import fault_in
from gemel.backends.upkeep import DOCUMENTS_FORM, SESSIONS_FORM, Form, problems
from gemel.connect.mqtt import spool
from gemel.core.document import Json
from gemel.core.errors import Damaged, GemelError
from gemel.history import Damage
from gemel.history.survey import strays, survey

OURS = frozenset(
    {
        *(name + end for name in (DOCUMENTS, SESSIONS) for end in ("", "-wal", "-shm")),
        *(HISTORY, IMPORTS, spool.FOLDER, FOLDER, INCOMPLETE, backup.MANIFEST),
        *(*BESIDES, "lock", "server.json"),
    }
)

FORMS = {DOCUMENTS: DOCUMENTS_FORM, SESSIONS: SESSIONS_FORM}


def check_at_rest(data: Path) -> Json:
    """Checks a folder that no server uses, or a backup; changes nothing."""
    found: list[Json] = []
    if (data / backup.MANIFEST).exists():
        try:
            found += backup.faults(data, backup.sha256)
        except GemelError as error:
            found.append({"file": backup.MANIFEST, "what": error.message})
    return report(data, survey(data / HISTORY), found, is_running=False)


def report(
    data: Path, history: Iterable[Damage], found: Iterable[Json] = (), *, is_running: bool
) -> Json:
    """All that is known to be wrong, and what is worth a note.

    Args:
        data: the data folder.
        history: what the history found in its own files.
        found: what else is known already.
        is_running: half-written files are then somebody's work, not leftovers.
    """
    damage: list[Json] = []
    if (data / INCOMPLETE).exists():
        damage.append({"file": INCOMPLETE, "what": "the folder was not restored to the end"})
    damage += found
    notes: list[Json] = []
    for one in history:
        place: Json = {"file": f"{HISTORY}/{one.file}", "what": one.what}
        if one.offset >= 0 and one.length:
            place |= {"offset": one.offset, "length": one.length}
        (notes if one.is_torn_tail else damage).append(place)
    for file, hole in spool.survey(data):
        place = {"file": file, "offset": hole.offset, "length": hole.length}
        if hole.file == spool.TAKEN:
            notes.append(place | {"what": "is not what was written: what waits is read once more"})
        elif hole.is_torn_tail:
            notes.append(place | {"what": "a record was being written: nobody was told it was"})
        else:
            damage.append(place | {"what": "no record: what it held and nobody took over is lost"})
    for log in FORMS:
        if fault := fault_in(data / f"{log}-wal"):
            place = {"file": f"{log}-wal", "offset": fault.offset, "length": fault.length}
            (notes if fault.is_torn_tail else damage).append(place | {"what": fault.what})
    damage += _in_the_rest(data)
    notes += _strays(data, is_running)
    if not is_running:
        notes += _unsummed(data)
    return {"sound": not damage, "damage": damage, "notes": notes}


def _in_the_rest(data: Path) -> Iterator[Json]:
    """Databases, and the files beside them."""
    if not (data / DOCUMENTS).exists():
        yield {"file": DOCUMENTS, "what": "is missing; so is everything but the readings"}
    for name, form in FORMS.items():
        if (data / name).exists():
            yield from ({"file": name, "what": what} for what in _in_database(data / name, form))
    yield from kept_files.faults(data)


def _in_database(file: Path, form: Form) -> Iterator[str]:
    try:
        found = problems(file, form)
        yield from found
        if file.name == DOCUMENTS and not found:
            broken = audit.verify(file).broken
            yield from [broken] if broken else ()
    except GemelError as error:
        yield error.message


def _unsummed(data: Path) -> Iterator[Json]:
    for path in kept_files.summed(data):
        with suppress(Damaged):  # which is named elsewhere
            if length := sums.unsummed(path):
                offset = path.stat().st_size - length
                file = str(path.relative_to(data))
                what = "was being written: it gets its checksum at the next start"
                yield {"file": file, "offset": offset, "length": length, "what": what}


def _strays(data: Path, is_running: bool) -> Iterator[Json]:
    for entry in sorted(data.iterdir()):
        is_other_data = entry.is_dir() and (entry / DOCUMENTS).exists()
        if entry.name not in OURS and not is_other_data:
            yield {"file": entry.name, "what": "is none of ours; it is left alone"}
    for name in strays(data / HISTORY):
        if not (is_running and name.endswith(".tmp")):
            is_half = name.endswith(".tmp")
            what = "half-written; removed at the next start" if is_half else "is none of ours"
            yield {"file": f"{HISTORY}/{name}", "what": what}
