"""Models as files, DTDL or the short form, JSON or YAML: read, written, turned into each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from gemel.app.yaml_files import as_yaml, parse_yaml, read_text
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.interchange.expand import expand, is_short
from gemel.interchange.shorten import shorten

FORMS = ("dtdl", "yaml")
ENDINGS = {"dtdl": ".json", "yaml": ".yaml"}


def read_models(file: Path) -> list[Json]:
    """The models of a file, as DTDL.

    Raises:
        InvalidInput: it cannot be read, or a model is not of the short form; names the place.
    """
    return parse_models(read_text(file), str(file))


def parse_models(text: str, place: str) -> list[Json]:
    """As `read_models`, of a text: JSON if it is some or its file is named so, else YAML."""
    text = text.lstrip("\ufeff")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        is_json = place.endswith(".json")
        found = parse_json(text, place) if is_json else parse_yaml(text, place)
    return dtdl_of(found if isinstance(found, list) else [found], place)


def parse_json(text: str, place: str) -> Any:
    """JSON, or where in the text it ceases to be some."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{place}, line {error.lineno}: not valid JSON: {error.msg}") from error


def dtdl_of(models: Sequence[Any], place: str = "") -> list[Any]:
    """The models with those in the short form expanded; what is no model is left to the parser."""
    try:
        return [expand(one) if is_short(one) else one for one in models]
    except InvalidInput as error:
        if not place:
            raise
        raise InvalidInput(f"{place}: {error.message}", hint=error.hint) from error


def models_text(models: Sequence[Json], form: str) -> str:
    """Models as the text of a file: one as it is, several as a list.

    Args:
        models: as DTDL.
        form: `dtdl` (JSON) or `yaml` (the short form).
    """
    if form == "yaml":
        short = [shorten(model) for model in models]
        return as_yaml(short[0] if len(short) == 1 else short, is_compact=True)
    body = models[0] if len(models) == 1 else list(models)
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode() + "\n"


def file_name(model: str, form: str) -> str:
    """Such as `example.Pump-1.yaml`."""
    name = model.removeprefix("dtmi:").replace(":", ".").replace(";", "-")
    return name + ENDINGS[form]
