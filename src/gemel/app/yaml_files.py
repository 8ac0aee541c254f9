"""YAML files as JSON has them: what is written twice, or is no JSON, is refused with its place."""

from __future__ import annotations

import datetime
import math
import re
from pathlib import Path
from typing import Any

import yaml

from gemel.core.errors import InvalidInput

MOST_DEEP = 64


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        InvalidInput: there is none, or it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {file}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file}: cannot be read: {error}") from error


def read_yaml(file: Path) -> Any:
    """One YAML file, as JSON has it.

    Raises:
        InvalidInput: not valid YAML, or something that JSON cannot hold; names file and line.
    """
    return parse_yaml(read_text(file), str(file))


def parse_yaml(text: str, file: str) -> Any:
    """As `read_yaml`, of a text; `file` is where it stands."""
    try:
        found = yaml.load(text, _Loader)
        return _as_json(found, file, 0)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InvalidInput(f"{file}{line}: not valid YAML: {problem}") from error
    except (RecursionError, ValueError) as error:  # a date such as 2026-13-45
        raise InvalidInput(f"{file}: cannot be read: {error}") from error


def as_yaml(body: Any, *, is_compact: bool = False) -> str:
    """A document as YAML that `read_yaml` reads back to the same.

    Args:
        body: what JSON can hold.
        is_compact: writes what has nothing inside on one line: `{unit: bar, writable: true}`.
    """
    return yaml.dump(
        body,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=None if is_compact else False,
    )


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes that reading would take for line breaks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() or text.replace("\n", "").isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class _Loader(yaml.SafeLoader):
    """Takes a name that stands twice for the mistake that it is."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        met = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in met:
                    raise yaml.MarkedYAMLError(
                        problem=f"'{key.value}' stands twice", problem_mark=key.start_mark
                    )
                met.add(key.value)
                if WITH_EXPONENT.match(key.value):
                    key.tag = "tag:yaml.org,2002:str"  # a name such as 12e4
        return super().construct_mapping(node, deep)


WITH_EXPONENT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+\Z")
"""Numbers as YAML 1.2 and JSON write them; YAML 1.1 takes 1e5 and 1.2e7 for text."""
for _part in (_Loader, _Dumper):
    _part.add_implicit_resolver("tag:yaml.org,2002:float", WITH_EXPONENT, list("-+.0123456789"))


def _as_json(value: Any, place: str, depth: int) -> Any:
    if depth > MOST_DEEP:
        raise InvalidInput(f"{place}: nested deeper than {MOST_DEEP}")
    if isinstance(value, dict):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise InvalidInput(
                    f"{place}: the name {key!r} is not text", hint=f"put it in quotes: '{key}'"
                )
        return {str(k): _as_json(v, f"{place}: {k}", depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_json(v, f"{place}, entry {n}", depth + 1) for n, v in enumerate(value, 1)]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    is_fit = value is None or isinstance(value, str | bool)
    if isinstance(value, int | float) and not isinstance(value, bool):
        is_fit = math.isfinite(value) and (isinstance(value, float) or -(2**63) <= value < 2**64)
    if not is_fit:
        raise InvalidInput(f"{place}: {value!r} is neither text, number, true, false nor null")
    return value
