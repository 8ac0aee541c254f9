"""docs/reference/cli.md holds every command with every argument, and no other."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import pytest
from pages import code, read, table

from gemel.cli.main import parser

PAGE = read("docs/reference/cli.md")
ELSEWHERE = {"simulate": "docs/reference/simulate.md", "replay": "docs/how-to/replay.md"}


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(name, parser) of each command that does something."""

    def walk(
        name: str, one: argparse.ArgumentParser
    ) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        inner = [a for a in one._actions if isinstance(a, argparse._SubParsersAction)]
        if not inner:
            yield name, one
        for group in inner:
            for word, below in group.choices.items():
                yield from walk(f"{name} {word}".strip(), below)

    yield from walk("", parser())


def arguments(one: argparse.ArgumentParser) -> tuple[set[str], list[str]]:
    """(options, positional arguments)."""
    options, places = set(), []
    for action in one._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        if action.option_strings:
            options.add(action.option_strings[-1])
        else:
            name = (action.metavar or action.dest).upper()
            places.append(
                {"?": f"[{name}]", "+": f"{name}...", "*": f"[{name}...]"}.get(
                    str(action.nargs), name
                )
            )
    return options, places


COMMANDS = dict(commands())
HEADINGS = re.findall(r"^### `gemel (.+)`$", PAGE, re.M)


def text_of(heading: str) -> str:
    found = re.search(rf"^### `gemel {re.escape(heading)}`\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S)
    assert found
    return found[1]


def test_every_command_has_a_section_with_its_places_and_no_other() -> None:
    expected = [" ".join([name, *arguments(one)[1]]) for name, one in COMMANDS.items()]
    assert sorted(HEADINGS) == sorted(expected)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(ELSEWHERE)))
def test_arguments_of_a_command_are_documented_and_no_other(name: str) -> None:
    options, places = arguments(COMMANDS[name])
    found = text_of(" ".join([name, *places]))
    wanted = options | {place.strip("[].") for place in places}
    if not wanted:
        assert "| argument" not in found
        return
    assert {code(row[0]) for row in table(found, "argument")} == wanted


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_arguments_that_stand_on_another_page_are_there(name: str) -> None:
    page = read(ELSEWHERE[name])
    assert f"({ELSEWHERE[name].removeprefix('docs/')})".split("/")[-1] in text_of(
        " ".join([name, *arguments(COMMANDS[name])[1]])
    )
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page))
    assert documented == arguments(COMMANDS[name])[0]


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(ELSEWHERE)))
def test_defaults_are_those_of_the_code(name: str) -> None:
    _, places = arguments(COMMANDS[name])
    found = text_of(" ".join([name, *places]))
    wrong = []
    for action in COMMANDS[name]._actions:
        default = action.default
        if not action.option_strings or not isinstance(default, str | int | float):
            continue
        if isinstance(default, bool) or default in ("", argparse.SUPPRESS):
            continue
        rows = {code(row[0]): row[1] for row in table(found, "argument")}
        if rows[action.option_strings[-1]].strip("`") != f"{default}":
            wrong.append((action.option_strings[-1], default))
    assert wrong == []


def test_exit_codes_are_those_of_the_program() -> None:
    import gemel.cli.main as main

    documented = {row[0] for row in table(PAGE, "code")}
    assert main.__doc__ is not None
    assert documented == set(re.findall(r"\b(\d+) [a-z]", main.__doc__))
