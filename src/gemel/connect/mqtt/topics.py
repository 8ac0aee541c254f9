"""Topic filters: what is a valid one, which topics it matches, and trees of both.

`#` and `+` at the first level do not match topics that start with `$`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from gemel.connect.mqtt.packets import ProtocolError, Reason
from gemel.core.errors import InvalidInput

MAXIMUM_LEVELS = 128

Value = TypeVar("Value")


def split_shared(topic_filter: str) -> tuple[str, str]:
    """(group, filter); the group is "" for a filter that is not shared.

    Raises:
        ProtocolError: `$share/` without a group or filter.
    """
    if not topic_filter.startswith("$share/"):
        return "", topic_filter
    group, _, rest = topic_filter[7:].partition("/")
    if not group or not rest or "+" in group or "#" in group:
        raise ProtocolError(f"'{topic_filter}' is not $share/group/filter", Reason.FILTER_INVALID)
    return group, rest


def check_filter(topic_filter: str) -> None:
    """Refuses what is no topic filter (given without `$share/group/`).

    Raises:
        ProtocolError: with `Reason.FILTER_INVALID`.
    """
    levels = topic_filter.split("/")
    if not topic_filter or len(levels) > MAXIMUM_LEVELS:
        raise ProtocolError(
            f"a topic filter has 1 to {MAXIMUM_LEVELS} levels", Reason.FILTER_INVALID
        )
    for place, level in enumerate(levels):
        if level == "#" and place == len(levels) - 1:
            continue
        if level != "+" and ("#" in level or "+" in level):
            raise ProtocolError(
                f"a wildcard must stand alone in its level, '#' last: '{topic_filter}'",
                Reason.FILTER_INVALID,
            )


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a (valid) filter matches a topic."""
    if topic[:1] == "$" and topic_filter[:1] in ("+", "#"):
        return False
    levels = topic.split("/")
    parts = topic_filter.split("/")
    for place, part in enumerate(parts):
        if part == "#":
            return True
        if place >= len(levels) or part not in ("+", levels[place]):
            return False
    return len(parts) == len(levels)


class _Node(Generic[Value]):
    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Value]] = {}
        self.values: dict[object, Value] = {}


class FilterTree(Generic[Value]):
    """Values filed under topic filters; `match` finds all whose filter matches a topic."""

    def __init__(self) -> None:
        self._root: _Node[Value] = _Node()
        self.count = 0

    def put(self, topic_filter: str, key: object, value: Value) -> None:
        node = self._root
        for level in topic_filter.split("/"):
            child = node.children.get(level)
            if child is None:
                child = node.children[level] = _Node()
            node = child
        self.count += key not in node.values
        node.values[key] = value

    def remove(self, topic_filter: str, key: object) -> None:
        """Takes a value out and drops the branches that are empty then."""
        path: list[tuple[_Node[Value], str]] = []
        node = self._root
        for level in topic_filter.split("/"):
            child = node.children.get(level)
            if child is None:
                return
            path.append((node, level))
            node = child
        if key in node.values:
            del node.values[key]
            self.count -= 1
        for parent, level in reversed(path):
            child = parent.children[level]
            if child.values or child.children:
                return
            del parent.children[level]

    def match(self, topic: str) -> list[Value]:
        """Cost: the number of branches that match, at most 2 to the depth of the tree."""
        found: list[Value] = []
        levels = topic.split("/")
        front = [self._root]
        is_hidden = topic[:1] == "$"
        for depth, level in enumerate(levels):
            following: list[_Node[Value]] = []
            wild = not (is_hidden and depth == 0)
            for node in front:
                children = node.children
                if wild:
                    if (rest := children.get("#")) is not None:
                        found.extend(rest.values.values())
                    if (any_level := children.get("+")) is not None:
                        following.append(any_level)
                if (same := children.get(level)) is not None:
                    following.append(same)
            front = following
            if not front:
                return found
        for node in front:
            found.extend(node.values.values())
            if (rest := node.children.get("#")) is not None:
                found.extend(rest.values.values())
        return found


class TopicTree(Generic[Value]):
    """Values filed under topics; `match` finds all that a filter matches (retained messages)."""

    def __init__(self) -> None:
        self._root: _Node[Value] = _Node()
        self._all: dict[str, Value] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(list(self._all.items()))

    def get(self, topic: str) -> Value | None:
        return self._all.get(topic)

    def put(self, topic: str, value: Value) -> None:
        if topic not in self._all:
            node = self._root
            for level in topic.split("/"):
                child = node.children.get(level)
                if child is None:
                    child = node.children[level] = _Node()
                node = child
            node.values[topic] = value
        self._all[topic] = value

    def remove(self, topic: str) -> Value | None:
        if topic not in self._all:
            return None
        path: list[tuple[_Node[Value], str]] = []
        node = self._root
        for level in topic.split("/"):
            path.append((node, level))
            node = node.children[level]
        node.values.clear()
        for parent, level in reversed(path):
            child = parent.children[level]
            if child.values or child.children:
                break
            del parent.children[level]
        return self._all.pop(topic)

    def match(self, topic_filter: str) -> list[Value]:
        if "+" not in topic_filter and "#" not in topic_filter:
            value = self._all.get(topic_filter)
            return [] if value is None else [value]
        front = [self._root]
        parts = topic_filter.split("/")
        for depth, part in enumerate(parts):
            if part == "#":
                return self._below(front, depth == 0)
            following: list[_Node[Value]] = []
            for node in front:
                if part == "+":
                    hide = depth == 0
                    following += [
                        child
                        for level, child in node.children.items()
                        if not (hide and level[:1] == "$")
                    ]
                elif (child_ := node.children.get(part)) is not None:
                    following.append(child_)
            front = following
        return [self._all[str(topic)] for node in front for topic in node.values]

    def _below(self, front: list[_Node[Value]], is_root: bool) -> list[Value]:
        found: list[Value] = []
        stack = list(front)
        while stack:
            node = stack.pop()
            found += [self._all[str(topic)] for topic in node.values]
            for level, child in node.children.items():
                if is_root and node is self._root and level[:1] == "$":
                    continue
                stack.append(child)
        return found


def check_topic(topic: str) -> None:
    """Refuses what is no topic name.

    Raises:
        InvalidInput: it is empty, too long, or holds a wildcard or U+0000.
    """
    if not topic or len(topic.encode()) > 65_535 or any(mark in topic for mark in "+#\0"):
        raise InvalidInput(
            f"'{topic[:100]}' is no MQTT topic",
            hint="a topic has 1 to 65,535 bytes and no '+', '#' or U+0000",
        )
