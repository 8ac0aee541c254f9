"""Models and values judged line by line, as `gemel dtdl` reads them: JSON in, JSON out."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from gemel.core.document import Json
from gemel.core.errors import GemelError, InvalidInput, ModelInvalid
from gemel.twins.dtdl.elements import PARSING_ERROR, Element
from gemel.twins.dtdl.instances import instance_problems
from gemel.twins.dtdl.interface import Interface
from gemel.twins.dtdl.parser import Checked, check, parse

OPTIONS = {
    "AllowUndefinedExtensions": True,
    "AllowUndefinedExtensionsAlways": True,
    "DisallowUndefinedExtensions": False,
    "AllowUndefinedExtensionsNever": False,
}
TOLERANT = "TolerateSolecismsIn"
QUIRKS = (f"{TOLERANT}Parse", f"{TOLERANT}Resolve")
MOST_CHECKED = 16
"""Sets of models that are kept as they were checked."""

Judge = Callable[[Json], Json]


def answers(lines: Iterator[bytes], judge: Judge) -> Iterator[tuple[bytes, bool]]:
    """One JSON answer for each line, and whether the line could be answered."""
    for line in lines:
        try:
            answer, is_good = judge(_case(line)), True
        except GemelError as error:
            said = {"code": error.code, "message": str(error)}
            answer, is_good = {"error": said}, False
        except RecursionError:
            said = {"code": "InvalidArgument", "message": "the line is nested too deeply"}
            answer, is_good = {"error": said}, False
        yield orjson.dumps(answer) + b"\n", is_good


def _case(line: bytes) -> Json:
    try:
        case = orjson.loads(line)
    except orjson.JSONDecodeError:
        case = _case_of_large_numbers(line)
    if not isinstance(case, dict):
        raise InvalidInput("the line is no JSON object", hint="write one object a line")
    return case


def _case_of_large_numbers(line: bytes) -> Any:
    """Whole numbers beyond 64 bits are JSON too; halves of characters stand for no text."""
    try:
        found = json.loads(line.decode("utf-8-sig"))
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the line is not JSON: {error}") from None
    return found


def judge_model(explain: bool = False) -> Judge:
    """Says whether models are valid, by which rules they are not, and which ids are missing.

    Args:
        explain: whether the answer also has `messages`, one for each thing that is wrong.
    """

    def judge(case: Json) -> Json:
        documents = _models(case, "input")
        quirks = _words(case, "quirks", QUIRKS)
        checked = check(
            documents,
            _resolved(case, QUIRKS[1] in quirks),
            undefined_extensions=_openness(case),
            tolerant=QUIRKS[0] in quirks,
        )
        found = checked.problems.found
        codes = [one["code"] for one in found]
        answer: Json = {
            "valid": not found,
            "errors": list(dict.fromkeys(c for c in codes if c.startswith(PARSING_ERROR))),
            "unresolved": list(checked.unresolved),
        }
        return {**answer, "messages": [one["message"] for one in found]} if explain else answer

    return judge


def judge_instance(explain: bool = False) -> Judge:
    """Says whether a JSON text conforms to one element of a model.

    Args:
        explain: whether the answer also has `messages`, one for each thing that is wrong.
    """
    models = _CheckedModels()

    def judge(case: Json) -> Json:
        subject, text = _text(case, "subject"), _text(case, "submit")
        checked = models.get(_models(case, "model"), _openness(case))
        if checked.problems.found:
            first = checked.problems.found[0]
            raise ModelInvalid(f"the model is not valid: {first['code']}: {first['message']}")
        element = checked.find(subject)
        if element is None:
            raise InvalidInput(
                f"the model has no element '{subject}'", hint="'subject' is the @id of one"
            )
        if element.kind.instance is None:
            return {"conforms": False, "error": _no_values(element)}
        found = instance_problems(element, text)
        answer: Json = {"conforms": not found}
        return {**answer, "messages": found} if explain else answer

    return judge


class _CheckedModels:
    """Models as they were checked, the last ones: values of one model often follow each other."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, bool | None], Checked] = OrderedDict()

    def get(self, documents: list[Any], openness: bool | None) -> Checked:
        try:
            key = orjson.dumps(documents), openness
        except orjson.JSONEncodeError:  # whole numbers beyond 64 bits
            return check(documents, undefined_extensions=openness)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = check(documents, undefined_extensions=openness)
            if len(self._known) > MOST_CHECKED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found


def _no_values(element: Element) -> Json:
    kind = element.kind.name
    text = f"'{element.label}' is a {kind}, which describes no value by itself"
    way_out = "name a schema, a Field, an EnumValue or a MapValue as the subject"
    return {"code": "InvalidArgument", "message": f"{text} ({way_out})"}


def _models(case: Json, key: str) -> list[Any]:
    found = case.get(key)
    if not isinstance(found, list):
        raise InvalidInput(f"'{key}' must be an array of DTDL models")
    return found


def _text(case: Json, key: str) -> str:
    found = case.get(key)
    if not isinstance(found, str):
        raise InvalidInput(f"'{key}' must be a string")
    return found


def _words(case: Json, key: str, known: tuple[str, ...]) -> list[str]:
    found = case.get(key) or []
    if not isinstance(found, list):
        raise InvalidInput(f"'{key}' must be an array of strings")
    for one in found:
        if one not in known:
            raise InvalidInput(f"'{key}' has {one!r}", hint=f"known are {', '.join(known)}")
    return found


def _openness(case: Json) -> bool | None:
    found = {OPTIONS[one] for one in _words(case, "options", tuple(OPTIONS))}
    if len(found) > 1:
        raise InvalidInput("'options' both allow and disallow undefined extensions")
    return found.pop() if found else None


def _resolved(case: Json, tolerant: bool) -> dict[str, Interface]:
    """Models that references are looked up in: `resolution` has them as a resolver answered."""
    steps = case.get("resolution") or []
    documents = []
    for step in steps if isinstance(steps, list) else [None]:
        response = step.get("response") if isinstance(step, dict) else None
        if not isinstance(response, list):
            raise InvalidInput("'resolution' must be an array of {\"response\": [models]}")
        documents += response
    return parse(documents, tolerant=tolerant) if documents else {}
