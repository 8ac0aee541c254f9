"""Holds what a server answers against its OpenAPI document, with no field more and none less."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from gemel.api.app import ROUTES
from gemel.api.openapi import document

PLACE = re.compile(r"{\w+}")


@cache
def described() -> dict[str, Any]:
    """The document, its objects closed: a field that it does not name is a fault here."""
    found = document(ROUTES)
    _close(found["components"]["schemas"])
    for operations in found["paths"].values():
        _close(operations)
    return found


def _close(part: Any) -> None:
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            _close(inner)
    if isinstance(part, dict) and part.get("type") == "object" and "properties" in part:
        part.setdefault("additionalProperties", False)


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """What is without a place comes first: /alarms/kpis is no /alarms/{id}."""
    paths = sorted(described()["paths"], key=lambda path: (path.count("{"), path))
    return [
        (re.compile("".join("[^/]+" if PLACE.fullmatch(p) else re.escape(p) for p in parts)), path)
        for path in paths
        for parts in [re.split(r"({\w+})", path)]
    ]


def route_of(path: str) -> str | None:
    """The path of the document that a path is of."""
    return next((found for pattern, found in _patterns() if pattern.fullmatch(path)), None)


@cache
def _validator(method: str, path: str) -> Draft202012Validator | None:
    responses = described()["paths"].get(path, {}).get(method.lower(), {}).get("responses", {})
    for status, answer in responses.items():
        if status != "default" and "content" in answer:
            schema = answer["content"]["application/json"]["schema"]
            components = {"components": described()["components"]}
            return Draft202012Validator({**schema, **components})
    return None


def is_described(method: str, path: str) -> bool:
    """Whether the document says what a route answers; by its path there."""
    return _validator(method, path) is not None


def faults(method: str, path: str, body: Any) -> list[str]:
    """Where an answer is not what the document says; nothing if the document says nothing."""
    found = route_of(path)
    validator = _validator(method, found) if found else None
    if validator is None:
        return []
    return [
        f"{method} {found} at {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}"
        for e in validator.iter_errors(body)
    ]
