"""The commands of the README, the tutorial and the how-tos do what they say, on a real server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pages import PAGES, ROOT, Block, blocks

from running import Running

UNTIL_SECONDS = 180
BLOCK_SECONDS = 180
NOTES = ("run", "run shows:", "run until:", "run fails:", "run background", "file:", "not run:")
DEMO = ROOT / "docs" / "tutorial.md"
ALARM = re.compile(r"^(a-[0-9a-f]+-[0-9a-f]+) ", re.M)
RUNNABLE = [p for p in PAGES if any(b.note.startswith("run") for b in blocks(p))]


class Shell:
    """Runs the blocks of one page in one folder, one after the other, as a reader would."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.folder = folder
        self.alarm = ""
        self.variables = folder / ".variables"
        self.children: list[subprocess.Popen[bytes]] = []
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GEMEL_")}
        self.environment = {**kept, "PATH": path}

    def text(self, block: Block) -> str:
        """The block with the addresses of this server and the alarm that was listed last."""
        running, text = self.running, block.text
        text = text.replace("http://127.0.0.1:8080", running.url)
        text = re.sub(r"-p 1883\b", f"-p {running.mqtt_port}", text)
        text = text.replace('"127.0.0.1", 1883', f'"127.0.0.1", {running.mqtt_port}')
        text = text.replace("127.0.0.1:5683", running.coap)
        text = re.sub(r"^\. \.venv/bin/activate$", ":", text, flags=re.M)
        return text.replace("ALARM_ID", self.alarm)

    def script(self, block: Block) -> list[str]:
        keep = f"[ ! -f {self.variables} ] || . {self.variables}\nset -ea\n"
        save = f"\nexport -p > {self.variables}\n"
        return ["bash", "-c", keep + self.text(block) + save]

    def run(self, block: Block) -> tuple[int, str]:
        done = subprocess.run(
            self.script(block),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BLOCK_SECONDS,
        )
        if found := ALARM.search(done.stdout):
            self.alarm = found[1]
        return done.returncode, done.stdout

    def start(self, block: Block) -> None:
        child = subprocess.Popen(
            self.script(block),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "background.txt").open("wb"),
            start_new_session=True,
        )
        self.children.append(child)

    def close(self) -> None:
        for child in self.children:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(60)

    def do(self, block: Block) -> None:
        """Does what the comment before a block asks.

        Raises:
            AssertionError: it did not go as the page says.
        """
        kind, _, wanted = block.note.partition(": ")
        if kind == "file":
            (self.folder / wanted).write_text(self.text(block))
        elif kind == "run background":
            self.start(block)
        elif kind == "run until":
            until = time.monotonic() + UNTIL_SECONDS
            code, shown = self.run(block)
            while wanted not in shown and time.monotonic() < until:
                code, shown = self.run(block)
            self._check(block, code == 0 and wanted in shown, shown)
        elif kind.startswith("run"):
            code, shown = self.run(block)
            is_right = (code != 0) if kind == "run fails" else (code == 0)
            self._check(block, is_right and wanted in shown, shown)

    def _check(self, block: Block, is_right: bool, shown: str) -> None:
        behind = self.folder / "background.txt"
        more = behind.read_text() if behind.exists() else ""
        assert is_right, f"{block.place}\n{block.text}\nanswered:\n{shown}\n{more}"


def play(page: Path, running: Running, folder: Path) -> None:
    shell = Shell(running, folder)
    try:
        for block in blocks(page):
            shell.do(block)
        for child in shell.children:
            assert child.poll() is None, (folder / "background.txt").read_text()
    finally:
        shell.close()


@pytest.mark.peer
def test_the_tutorial_runs_word_for_word(demo: Running) -> None:
    play(DEMO, demo, demo.data.parents[1])


@pytest.mark.peer
@pytest.mark.parametrize(
    "page", [p for p in RUNNABLE if p != DEMO], ids=lambda page: str(page.relative_to(ROOT))
)
def test_commands_of_a_page_run(page: Path, served: Running) -> None:
    play(page, served, served.data.parent)


def test_pages_whose_commands_must_run_are_found() -> None:
    names = {page.name for page in RUNNABLE}
    assert {"README.md", "tutorial.md", "connect-a-device.md", "tokens.md"} <= names


def test_comments_before_blocks_are_understood() -> None:
    for page in PAGES:
        if page.name != "CONTRIBUTING.md":
            for block in blocks(page):
                assert not block.note or block.note.startswith(NOTES), block.place


def test_commands_that_are_shown_have_arguments_that_exist() -> None:
    """Also those that are not run: options of `gemel` in blocks are options that there are."""
    from gemel.cli.main import parser

    known = set(re.findall(r"--[a-z][a-z-]+", _help(parser())))
    for page in PAGES:
        for block in blocks(page):
            for line in re.findall(r"\bgemel [a-z].*", block.text):
                line = line.split(" | ")[0].split("#")[0]
                assert set(re.findall(r"(?<!\S)--[a-z][a-z-]+", line)) <= known, block.place


def _help(one) -> str:
    text = one.format_help()
    for action in one._actions:
        if hasattr(action, "choices") and isinstance(action.choices, dict):
            text += "".join(_help(inner) for inner in action.choices.values())
    return text
