"""Pages hang together: links resolve, blocks parse, everything is reachable."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml
from pages import DOCS, PAGES, ROOT, anchors, blocks, prose, read

import gemel

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FORMS = {"json": orjson.loads, "yaml": yaml.safe_load, "toml": tomllib.loads}


def links(page: Path) -> Iterator[str]:
    for target in LINK.findall(prose(page)):
        if not re.match(r"[a-z]+:", target):
            yield target


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    broken = []
    for target in links(page):
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        is_there = file.exists() and file.is_relative_to(ROOT)
        if is_there and fragment and file.suffix == ".md":
            is_there = fragment in anchors(file)
        if not is_there:
            broken.append(target)
    assert broken == []


def test_every_page_is_linked_from_another() -> None:
    reached = {ROOT / "README.md"}
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        for target in links(page):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.exists() and file not in reached:
                reached.add(file)
                waiting.append(file)
    assert names(sorted(set(PAGES) - reached)) == []


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_blocks_of_data_parse(page: Path) -> None:
    for block in blocks(page):
        if block.language in FORMS:
            try:
                FORMS[block.language](block.text)
            except ValueError as error:
                pytest.fail(f"{block.place}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_blocks_of_python_compile(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, block.place, "exec")


def test_changes_have_the_current_version() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", read("CHANGELOG.md"), re.M)
    assert gemel.__version__ in versions
    assert versions == sorted(versions, key=lambda v: [int(n) for n in v.split(".")], reverse=True)


def test_pictures_are_there_and_small() -> None:
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in links(page)
        if target.endswith(".png")
    }
    there = set((DOCS / "images").glob("*.png"))
    assert shown == there
    assert all(picture.stat().st_size < 400_000 for picture in there)


def test_the_scripts_the_readme_names_are_there() -> None:
    named = set(re.findall(r"\./(scripts/\w+)", read("README.md")))
    assert {"scripts/demo", "scripts/test"} <= named
    assert all((ROOT / name).is_file() for name in named)
