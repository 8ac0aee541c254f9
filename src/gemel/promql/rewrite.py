"""Functions that change labels, and those that make vectors of nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gemel.core.errors import InvalidInput, Refused
from gemel.promql.matchers import compiled
from gemel.promql.tree import Matcher, Node, Selector
from gemel.promql.values import NAME, Labels, Vector, check_label, merged

REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def _with(labels: Labels, name: str, value: str) -> Labels:
    others = [pair for pair in labels if pair[0] != name]
    return tuple(sorted([*others, (name, value)] if value else others))


def replaced(vector: Vector, to: str, template: str, of: str, pattern: str) -> Vector:
    """label_replace: a label made of parts of another.

    Raises:
        Refused: the pattern or the label is none.
    """
    check_label(to, "label_replace()")
    try:
        matches = compiled(pattern)
    except InvalidInput as error:
        raise Refused(f"label_replace(): {error.message}", hint=error.hint) from error
    known: dict[str, str | None] = {}
    found = []
    for labels in vector.labels:
        value = dict(labels).get(of, "")
        if value not in known:
            match = matches.fullmatch(value)
            known[value] = None if match is None else _expanded(match, template)
        new = known[value]
        found.append(labels if new is None else _with(labels, to, new))
    return merged(Vector(found, vector.value, vector.there))


def _expanded(match: Any, template: str) -> str:
    """A template with `$1`, `${1}` and `${name}` in place; what names no group is empty."""

    def text(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return str(match.group(int(name) if name.isdigit() else name) or "")
        except (IndexError, KeyError):
            return ""

    return REFERENCE.sub(text, template)


def concatenated(vector: Vector, to: str, separator: str, names: Sequence[str]) -> Vector:
    """label_join: the values of labels, joined."""
    for name in (to, *names):
        check_label(name, "label_join()")
    found = []
    for labels in vector.labels:
        own = dict(labels)
        found.append(_with(labels, to, separator.join(own.get(name, "") for name in names)))
    return merged(Vector(found, vector.value, vector.there))


def of_absent(node: Node) -> Labels:
    """The labels of what `absent` makes: those that its selector asks to be equal to something."""
    if not isinstance(node, Selector):
        return ()
    of: dict[str, list[Matcher]] = {}
    for matcher in node.matchers:
        of.setdefault(matcher.label, []).append(matcher)
    return tuple(
        sorted(
            (name, own[0].value)
            for name, own in of.items()
            if name != NAME and len(own) == 1 and own[0].operator == "=" and own[0].value
        )
    )
