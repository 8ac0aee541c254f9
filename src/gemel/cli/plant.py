"""`gemel import`, `gemel export`: a plant as readable files, and in other people's forms."""

from __future__ import annotations

import argparse
from pathlib import Path

import orjson

from gemel.app import plant_files
from gemel.app.interchange import FORMATS, READERS
from gemel.app.model_files import FORMS
from gemel.cli import output
from gemel.cli.client import Client
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

PLANT = "plant"
BY_ENDING = {".yaml": PLANT, ".yml": PLANT, ".aasx": "aasx", ".xml": "aas"}


def add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="plant.yaml, or a document of another form")
    parser.add_argument("--format", choices=(PLANT, *READERS), help="told by the file's ending")
    parser.add_argument("--strict", action="store_true", help="refuse it if anything is lost")
    parser.add_argument("--dry-run", action="store_true", help="convert and report, import nothing")
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")


def add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, help="a folder for a plant, else a file; is made")
    parser.add_argument("--format", choices=(PLANT, *FORMATS), default=PLANT, help="the form")
    parser.add_argument("--twin", action="append", help="only this one; may stand several times")
    parser.add_argument("--model", action="append", help="the definition of this model")
    parser.add_argument("--strict", action="store_true", help="refuse it if anything is lost")
    parser.add_argument("--models", choices=FORMS, default="dtdl", help="the form of the models")
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")


def import_(arguments: argparse.Namespace) -> int:
    form = arguments.format or BY_ENDING.get(arguments.file.suffix.lower())
    if form is None:
        raise InvalidInput(
            f"{arguments.file}: of which form is it?",
            hint="say --format " + " or --format ".join(READERS),
        )
    if form != PLANT:
        return _import_foreign(arguments, form)
    plant = plant_files.read(arguments.file)
    if arguments.dry_run:
        raise InvalidInput("--dry-run is for other forms", hint="a plant is imported whole or not")
    found = Client(arguments.data).call("POST", "/plant", plant)
    if arguments.json:
        output.as_json(found)
    else:
        _say_counts(found)
    return 0


def _import_foreign(arguments: argparse.Namespace, form: str) -> int:
    try:
        content = arguments.file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{arguments.file} cannot be read: {error.strerror}") from error
    flags = {"strict": arguments.strict, "dryRun": arguments.dry_run}
    query = {name: "true" for name, is_set in flags.items() if is_set}
    client = Client(arguments.data)
    answer = client.fetch("POST", f"/import/{form}", query, content, "application/octet-stream")
    found: Json = orjson.loads(answer)
    if arguments.json:
        output.as_json(found)
        return 0
    if arguments.dry_run:
        counts = {name: len(found["plant"][name]) for name in ("models", "twins")}
        output.say("would import " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    else:
        _say_counts(found["imported"])
    _say_report(found["report"])
    return 0


def _say_counts(found: Json) -> None:
    made = ", ".join(f"{count} {what}" for what, count in found.items())
    output.say(f"imported {made}" if made else "nothing to import: all of it is there already")


def _say_report(report: Json) -> None:
    for line in report["text"].splitlines():
        output.say(line)


def export(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    if arguments.format != PLANT:
        return _export_foreign(client, arguments)
    if arguments.twin or arguments.model or arguments.strict:
        raise InvalidInput("a plant is exported whole", hint="name another --format")
    plant = client.call("GET", "/plant")
    files = plant_files.write(plant, arguments.target, arguments.models)
    if arguments.json:
        output.as_json({"files": [str(file) for file in files]})
    else:
        output.say(f"wrote {len(files)} files to {arguments.target}")
    return 0


def _export_foreign(client: Client, arguments: argparse.Namespace) -> int:
    path = f"/export/{arguments.format}"
    query = {"twin": arguments.twin, "model": arguments.model}
    strict = {"strict": "true"} if arguments.strict else {}
    content = client.fetch("GET", path, {**query, **strict})
    report = orjson.loads(client.fetch("GET", path, {**query, "report": "true"}))
    try:
        arguments.target.write_bytes(content)
    except OSError as error:
        raise InvalidInput(f"{arguments.target} cannot be written: {error.strerror}") from error
    if arguments.json:
        output.as_json({"file": str(arguments.target), "report": report})
    else:
        output.say(f"wrote {arguments.target} ({len(content):,} bytes)")
        _say_report(report)
    return 0
