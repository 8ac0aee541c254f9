"""Writes the page's types of what the server answers, from the API's OpenAPI document.

`scripts/page_types.py` writes them; with `--check` it only says whether they are up to date.
"""

import re
import sys
from pathlib import Path
from typing import Any

from gemel.api.app import ROUTES
from gemel.api.openapi import document

FILE = Path(__file__).parent.parent / "ui/src/core/answers.ts"
HEAD = """\
/** What the server answers: made by scripts/page_types.py, never changed by hand. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
"""
WORD = re.compile(r"[A-Za-z_$][\w$]*")
PLAIN = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def type_of(schema: dict[str, Any]) -> str:
    """TypeScript of one schema.

    Raises:
        ValueError: the document uses what this does not know.
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(f'"{one}"' for one in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(type_of(one) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind is None:
        return "Json"
    if kind == "array":
        inner = type_of(schema["items"])
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if kind == "object":
        if "properties" in schema:
            return "{ " + " ".join(fields_of(schema)) + " }"
        more = schema.get("additionalProperties")
        return f"Record<string, {type_of(more) if isinstance(more, dict) else 'Json'}>"
    if kind not in PLAIN:
        raise ValueError(f"no TypeScript for {schema}")
    return PLAIN[kind]


def fields_of(schema: dict[str, Any]) -> list[str]:
    needed = set(schema.get("required", []))
    return [
        f"{name if WORD.fullmatch(name) else repr(name)}{'' if name in needed else '?'}: "
        f"{type_of(field)};".replace("'", '"')
        for name, field in schema["properties"].items()
    ]


def interface(name: str, schema: dict[str, Any]) -> str:
    lines = [f"/** {schema['description']} */"] if "description" in schema else []
    lines.append(f"export interface {name} {{")
    for field, said in zip(fields_of(schema), schema["properties"].values(), strict=True):
        if "description" in said:
            lines.append(f"  /** {said['description']} */")
        lines.append(f"  {field}")
    return "\n".join([*lines, "}"])


def answers(paths: dict[str, Any]) -> str:
    """By method and path: what is answered."""
    lines = ["/** By method and path. */", "export interface Answers {"]
    for path, operations in sorted(paths.items()):
        for method, operation in sorted(operations.items()):
            for status, answer in operation["responses"].items():
                if status != "default" and "content" in answer:
                    kind = type_of(answer["content"]["application/json"]["schema"])
                    lines.append(f'  "{method.upper()} {path}": {kind};')
    return "\n".join([*lines, "}"])


def written() -> str:
    found = document(ROUTES)
    schemas = found["components"]["schemas"]
    shapes = [interface(name, schema) for name, schema in sorted(schemas.items())]
    return "\n\n".join([HEAD.rstrip("\n"), *shapes, answers(found["paths"])]) + "\n"


def main() -> int:
    text = written()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text)
        return 0
    if FILE.is_file() and FILE.read_text() == text:
        return 0
    print(
        f"{FILE.name} is not what the API answers: "
        "run `.venv/bin/python scripts/page_types.py` and look at what `git diff` shows.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
