"""`gemel import`, `gemel export`: a plant as readable files."""

from __future__ import annotations

import argparse
from pathlib import Path

from gemel.app import plant_files
from gemel.app.model_files import FORMS
from gemel.cli import output
from gemel.cli.client import Client


def add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="plant.yaml")
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")


def add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="is made; plant.yaml and models/ go into it")
    parser.add_argument("--models", choices=FORMS, default="dtdl", help="the form of the models")
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")


def import_(arguments: argparse.Namespace) -> int:
    plant = plant_files.read(arguments.file)
    found = Client(arguments.data).call("POST", "/plant", plant)
    if arguments.json:
        output.as_json(found)
    else:
        made = ", ".join(f"{count} {what}" for what, count in found.items())
        output.say(f"imported {made}" if made else "nothing to import: all of it is there already")
    return 0


def export(arguments: argparse.Namespace) -> int:
    plant = Client(arguments.data).call("GET", "/plant")
    files = plant_files.write(plant, arguments.folder, arguments.models)
    output.say(f"wrote {len(files)} files to {arguments.folder}")
    return 0
