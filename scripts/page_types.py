"""Writes the page's types of what the server answers, from the API's OpenAPI document.

One file for each module of `gemel.api.answers`, and `index.ts` over them; beside them the table of
units that values can be read in. `scripts/page_types.py`
writes them; with `--check` it only says whether they are up to date.
"""

import pkgutil
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, is_typeddict

from page_units import table

from gemel.api import answers
from gemel.api.app import ROUTES
from gemel.api.openapi import document

FOLDER = Path(__file__).parent.parent / "ui/src/core/answers"
INDEX = "index"
UNITS = "units"
HEAD = "/** {words}: made by scripts/page_types.py, never changed by hand. */"
JSON = "export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };"
WORD = re.compile(r"[A-Za-z_][\w]*")
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
        return _array(schema)
    if kind == "object":
        if "properties" in schema:
            return "{ " + " ".join(fields_of(schema)) + " }"
        more = schema.get("additionalProperties")
        return f"Record<string, {type_of(more) if isinstance(more, dict) else 'Json'}>"
    if kind not in PLAIN:
        raise ValueError(f"no TypeScript for {schema}")
    return PLAIN[kind]


def _array(schema: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        return "[" + ", ".join(type_of(one) for one in schema["prefixItems"]) + "]"
    inner = type_of(schema["items"])
    return f"({inner})[]" if "|" in inner else f"{inner}[]"


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
    if "additionalProperties" in schema:
        lines.append("  [more: string]: unknown;")
    return "\n".join([*lines, "}"])


def by_path(paths: dict[str, Any]) -> str:
    """By method and path: what is answered."""
    lines = ["/** By method and path. */", "export interface Answers {"]
    for path, operations in sorted(paths.items()):
        for method, operation in sorted(operations.items()):
            for status, answer in operation["responses"].items():
                if status != "default" and "content" in answer:
                    kind = type_of(answer["content"]["application/json"]["schema"])
                    lines.append(f'  "{method.upper()} {path}": {kind};')
    return "\n".join([*lines, "}"])


def faces() -> dict[str, str]:
    """The module of each typed dictionary.

    Raises:
        ValueError: a name stands in two: the document has but one place for it.
    """
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(answers.__path__):
        where = import_module(f"{answers.__name__}.{module.name}")
        for name, kind in vars(where).items():
            if not is_typeddict(kind) or kind.__module__ != where.__name__:
                continue
            if found.setdefault(name, module.name) != module.name:
                raise ValueError(
                    f"{name} stands in answers.{found[name]} and answers.{module.name}"
                )
    return found


def file_of(words: str, body: list[str], face: str, where: dict[str, str]) -> str:
    """One file, with imports of what its types are made of."""
    text = "\n\n".join(body)
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("/**"))
    used = set(WORD.findall(re.sub(r'"[^"]*"', "", code)))
    other: dict[str, list[str]] = {}
    for name in sorted({*where, "Json"} & used):
        home = where.get(name, "json")
        if home != face:
            other.setdefault(home, []).append(name)
    imports = [
        f'import type {{ {", ".join(names)} }} from "./{home}.ts";'
        for home, names in sorted(other.items())
    ]
    return "\n\n".join([HEAD.format(words=words), *(["\n".join(imports)] if imports else []), text])


def written() -> dict[str, str]:
    """Each file's text by its name."""
    found = document(ROUTES)
    schemas = found["components"]["schemas"]
    homes = faces()
    where = {name: homes.get(name, "error") for name in schemas}
    files = {"json": "\n\n".join([HEAD.format(words="Any JSON"), JSON])}
    for face in sorted(set(where.values())):
        body = [interface(name, schemas[name]) for name in sorted(schemas) if where[name] == face]
        words = f"What the server answers ({face})"
        files[face] = file_of(words, body, face, where)
    again = "\n".join(f'export type * from "./{face}.ts";' for face in sorted(files))
    words = "What the server answers, a file for each face"
    files[INDEX] = file_of(words, [again, by_path(found["paths"])], INDEX, where)
    files[UNITS] = "\n\n".join([HEAD.format(words="Units to read values in"), table()])
    return {f"{name}.ts": text + "\n" for name, text in files.items()}


def main() -> int:
    files = written()
    kept = {file.name: file.read_text() for file in FOLDER.glob("*.ts")}
    if "--check" not in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for name in kept.keys() - files.keys():
            (FOLDER / name).unlink()
        for name, text in files.items():
            (FOLDER / name).write_text(text)
        return 0
    if kept == files:
        return 0
    print(
        f"{FOLDER.name}/ is not what the API answers: "
        "run `.venv/bin/python scripts/page_types.py` and look at what `git diff` shows.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
