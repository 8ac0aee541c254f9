"""JSON Patch (RFC 6902) with the three operations that the twin graph takes: add, replace, remove.

Source: RFC 6902 (patch), RFC 6901 (pointers such as `/limits/high`; `~1` is `/`, `~0` is `~`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gemel.core.document import Json
from gemel.core.errors import InvalidInput

OPERATIONS = ("add", "replace", "remove")
LIMIT = 1000
"""Operations in one patch."""


class Operation(NamedTuple):
    op: str
    path: tuple[str, ...]
    value: Any = None

    @property
    def pointer(self) -> str:
        return write_pointer(self.path)


def patch_invalid(message: str, hint: str = "") -> InvalidInput:
    return InvalidInput(message, hint=hint, code="JsonPatchInvalid")


def read_pointer(text: str) -> tuple[str, ...]:
    """The names in a JSON pointer.

    Raises:
        InvalidInput: it does not begin with `/`, or has a `~` that is not `~0` or `~1`.
    """
    if not text.startswith("/"):
        raise patch_invalid(f"the path '{text[:100]}' does not begin with '/'", "like '/name'")
    parts = text[1:].split("/")
    for part in parts:
        if "~" in part.replace("~0", "").replace("~1", ""):
            raise patch_invalid(f"the path '{text[:100]}' has a stray '~'", "write '~0' for '~'")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def write_pointer(path: Iterable[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def read_patch(body: Sequence[Any]) -> list[Operation]:
    """Checks the form of a patch.

    Raises:
        InvalidInput: an operation is not one of `OPERATIONS`, or lacks its path or value.
    """
    if len(body) > LIMIT:
        raise patch_invalid(f"the patch has {len(body)} operations", f"send at most {LIMIT}")
    return [_read_operation(item, number) for number, item in enumerate(body)]


def _read_operation(item: Any, number: int) -> Operation:
    if not isinstance(item, dict):
        raise patch_invalid(f"operation {number} is not an object", "like {'op', 'path', 'value'}")
    op, path = item.get("op"), item.get("path")
    if op not in OPERATIONS:
        shown = f"'{op}'" if isinstance(op, str) else "missing"
        raise patch_invalid(
            f"operation {number}: 'op' is {shown}", "it must be add, replace or remove"
        )
    if not isinstance(path, str):
        raise patch_invalid(f"operation {number}: 'path' is missing", "like '/name'")
    if op != "remove" and "value" not in item:
        raise patch_invalid(f"operation {number}: 'value' is missing", f"{op} needs one")
    return Operation(op, read_pointer(path), item.get("value"))


def apply_operation(doc: Json, operation: Operation) -> None:
    """Changes `doc` in place.

    Raises:
        InvalidInput: the place does not exist (replace, remove), or nothing can stand there.
    """
    parent: Any = doc
    for depth, part in enumerate(operation.path[:-1]):
        parent = _step(parent, part, operation, depth)
    last = operation.path[-1]
    if isinstance(parent, dict):
        if operation.op != "add" and last not in parent:
            raise patch_invalid(
                f"'{operation.pointer}' does not exist", "use add, or leave this operation out"
            )
        if operation.op == "remove":
            del parent[last]
        else:
            parent[last] = operation.value
    elif isinstance(parent, list):
        _change_list(parent, last, operation)
    else:
        raise patch_invalid(f"'{operation.pointer}': its parent holds no other values")


def _step(parent: Any, part: str, operation: Operation, depth: int) -> Any:
    if isinstance(parent, dict) and part in parent:
        return parent[part]
    if isinstance(parent, list):
        return parent[_index(part, len(parent), operation)]
    place = write_pointer(operation.path[: depth + 1])
    raise patch_invalid(
        f"'{operation.pointer}': '{place}' does not exist", f"add '{place}' as a whole first"
    )


def _change_list(items: list[Any], last: str, operation: Operation) -> None:
    if operation.op == "add":
        at = len(items) if last == "-" else _index(last, len(items) + 1, operation)
        items.insert(at, operation.value)
    elif operation.op == "remove":
        del items[_index(last, len(items), operation)]
    else:
        items[_index(last, len(items), operation)] = operation.value


def _index(part: str, length: int, operation: Operation) -> int:
    if part.isascii() and part.isdigit() and (part == "0" or part[0] != "0") and len(part) < 10:
        index = int(part)
        if index < length:
            return index
    raise patch_invalid(f"'{operation.pointer}': '{part[:40]}' is not a place in that array")
