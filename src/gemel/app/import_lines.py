"""The lines of an import file as edits: a section header, then models, twins, relationships."""

from __future__ import annotations

import codecs
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, InvalidInput
from gemel.twins.adding import NewLinks
from gemel.twins.draft import Draft
from gemel.twins.graph import EditContext, Graph
from gemel.twins.models import add_models
from gemel.twins.relationship_edits import put_relationship
from gemel.twins.twin_edits import put_twin

SECTIONS = ("Header", "Models", "Twins", "Relationships")
MOST_LINES = 10_000
MOST_SECONDS = 0.008
"""How long one batch may be planned while everything else waits."""
LONGEST_LINE = 1 << 20
MOST_MODEL_BYTES = 64 << 20
READ_BYTES = 1 << 20


class Line(NamedTuple):
    number: int
    text: bytes
    end: int
    """Where the next line begins, in bytes."""


def read_lines(path: Path, offset: int, number: int) -> list[Line]:
    """The next lines of a file, at most `MOST_LINES`; [] at its end."""
    found: list[Line] = []
    size = 0
    with path.open("rb") as file:
        file.seek(offset)
        while len(found) < MOST_LINES and size < READ_BYTES:
            text = file.readline(LONGEST_LINE + 1)
            if not text:
                break
            offset += len(text)
            if len(text) > LONGEST_LINE and not text.endswith(b"\n"):
                offset += _rest_of_line(file)
            number += 1
            size += len(text)
            if number == 1:
                text = text.removeprefix(codecs.BOM_UTF8)  # as editors of Windows write it
            found.append(Line(number, text, offset))
    return found


def _rest_of_line(file: BinaryIO) -> int:
    """Skips what is left of a line that is too long; how many bytes that was."""
    size = 0
    while rest := file.readline(LONGEST_LINE):
        size += len(rest)
        if rest.endswith(b"\n"):
            break
    return size


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come."""

    offset: int = 0
    line: int = 0
    section: str = ""
    models: int = 0
    twins: int = 0
    relationships: int = 0
    errors: int = 0

    def doc(self) -> Json:
        return {name: getattr(self, name) for name in Progress.__slots__}


def progress_of(doc: Json) -> Progress:
    known = doc.get("progress", {})
    return Progress(**{name: known[name] for name in Progress.__slots__ if name in known})


class SectionsWrong(InvalidInput):
    """The file is not an import file from here on."""

    default_code = "ImportFileInvalid"


@dataclass(slots=True)
class Batch:
    """What one batch of lines comes to."""

    edits: list[Edit]
    progress: Progress
    problems: list[tuple[int, str, GemelError]] = field(default_factory=list)
    """(line, section, what is wrong)."""


def plan_batch(draft: Draft, context: EditContext, lines: deque[Line], progress: Progress) -> Batch:
    """Plans as many of the lines as there is time for, at least one, and takes them away.

    Raises:
        SectionsWrong: a section is unknown or out of order.
    """
    until = time.perf_counter() + MOST_SECONDS
    batch, links, first = Batch([], progress), NewLinks(draft, context), len(draft.edits)
    section, line = progress.section, None
    taken: Counter[str] = Counter()
    while lines and section != "Models":
        line = lines.popleft()
        text = line.text.strip()
        if text:
            try:
                following = _take(draft, context, links, text, section, line.number)
                taken[section] += following == section
                section = following
            except SectionsWrong:
                raise
            except GemelError as error:
                batch.problems.append((line.number, section, error))
        if time.perf_counter() > until:
            break
    batch.edits = draft.edits[first:]
    if line is not None:
        batch.progress = replace(
            progress,
            offset=line.end,
            line=line.number,
            section=section,
            twins=progress.twins + taken["Twins"],
            relationships=progress.relationships + taken["Relationships"],
            errors=progress.errors + len(batch.problems),
        )
    return batch


def _take(
    draft: Draft, context: EditContext, links: NewLinks, text: bytes, section: str, number: int
) -> str:
    """Plans one line; the section in which the next one stands."""
    body = _parsed(text)
    if "Section" in body and len(body) == 1:
        return _next_section(body["Section"], section, number)
    if section == "Twins":
        edits, _ = put_twin(draft, context, _text(body, "$dtId"), body)
        draft.apply(edits)
    elif section == "Relationships":
        source = _text(body, "$dtId" if "$dtId" in body else "$sourceId")
        if not links.take(source, body):
            _take_relationship(draft, context, source, body)
    elif section != "Header":
        raise SectionsWrong(
            f"line {number}: the file does not begin with a section",
            hint='the first line is {"Section": "Header"}',
        )
    return section


def _parsed(text: bytes) -> Json:
    if len(text) > LONGEST_LINE:
        raise InvalidInput(f"the line is longer than {LONGEST_LINE:,} bytes", hint="split it")
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the line is not JSON: {error}", code="JsonInvalid") from error
    if not isinstance(body, dict):
        raise InvalidInput("a line must be a JSON object", code="JsonInvalid")
    return body


def _next_section(name: object, before: str, number: int) -> str:
    order = ("", *SECTIONS)
    before = before.removesuffix(".")
    if name not in SECTIONS:
        raise SectionsWrong(
            f"line {number}: there is no section '{str(name)[:60]}'",
            hint="the sections are " + ", ".join(SECTIONS),
        )
    found = str(name)
    if order.index(found) <= order.index(before) or (not before and found != "Header"):
        raise SectionsWrong(
            f"line {number}: section '{found}' cannot stand after '{before or 'the beginning'}'",
            hint="the order is " + ", ".join(SECTIONS),
        )
    return found


def _take_relationship(draft: Draft, context: EditContext, source: str, body: Json) -> None:
    values = {name: value for name, value in body.items() if name != "$dtId"}
    edits, _ = put_relationship(draft, context, source, _text(body, "$relationshipId"), values)
    draft.apply(edits)


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"'{name}' is missing or not a text", code="ValidationFailed")
    return value


def read_models(path: Path, progress: Progress) -> tuple[list[tuple[int, bytes]], Line | None]:
    """All lines of the section of models, which refer to each other, and the line that ends it.

    Raises:
        SectionsWrong: the models are too large to be read together.
    """
    found: list[tuple[int, bytes]] = []
    offset, number, size = progress.offset, progress.line, 0
    while lines := read_lines(path, offset, number):
        for line in lines:
            text = line.text.strip()
            if text.startswith(b"{") and b'"Section"' in text[:40]:
                return found, Line(number, b"", offset)
            if text:
                found.append((line.number, text))
            offset, number, size = line.end, line.number, size + len(text)
            if size > MOST_MODEL_BYTES:
                raise SectionsWrong(
                    f"line {number}: the models are larger than {MOST_MODEL_BYTES:,} bytes",
                    hint="import them in parts",
                )
    return found, Line(number, b"", offset)


def plan_models(
    graph: Graph, context: EditContext, lines: Sequence[tuple[int, bytes]], progress: Progress
) -> Batch:
    """Plans all models of a file at once; those that are there already, unchanged, stay."""
    batch = Batch([], progress)
    documents: list[Json] = []
    for number, text in lines:
        try:
            document = _parsed(text)
        except GemelError as error:
            batch.problems.append((number, "Models", error))
            continue
        record = graph.find_record(str(document.get("@id")))
        if record is None or record.definition != document:
            documents.append(document)
    if documents:
        try:
            batch.edits, _ = add_models(graph, context, documents)
        except GemelError as error:
            batch.problems.append((lines[0][0], "Models", error))
            documents = []
    models = progress.models + len(documents)
    errors = progress.errors + len(batch.problems)
    batch.progress = replace(progress, models=models, errors=errors)
    return batch
