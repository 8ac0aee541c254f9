"""Starts the real program as a user would, on free ports and a folder of its own."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

START_SECONDS = 60
SMALL_BALLAST = 1 << 20
"""In place of the 64 MiB that every data folder would set aside."""
KEPT = frozenset({"GEMEL_PURE", "GEMEL_BALLAST"})


class Running:
    """`gemel serve` (or another command that serves) as a process of its own."""

    def __init__(
        self,
        data: Path,
        *arguments: str,
        command: str = "serve",
        start_seconds: float = START_SECONDS,
    ) -> None:
        """`start_seconds` without a word from it, and it has not started."""
        self.data = data
        self.start_seconds = start_seconds
        self.arguments = arguments
        self.command = command
        self.environment: dict[str, str] = {}
        """What its processes get besides ours."""
        self.url = ""
        self.mqtt_host, self.mqtt_port = "", 0
        self.coap = ""
        self.token = ""
        self.process: subprocess.Popen[str]
        self.lines: list[str] = []
        self._errors = data.with_name(data.name + "-stderr.txt")

    def start(self) -> Running:
        """Returns when every listener is open."""
        command = [sys.executable, "-m", "gemel", self.command, "--data", str(self.data)]
        command += ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", *self.arguments]
        environment = {
            k: v for k, v in os.environ.items() if k in KEPT or not k.startswith("GEMEL_")
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its bytecode
        environment |= self.environment
        with self._errors.open("a") as errors:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                cwd=self.data.parent,
            )
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_pump, args=(self.process, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=self.start_seconds)
            except queue.Empty:
                line = ""
            if not line:
                self.kill()
                raise AssertionError(f"it did not start:\n{self.errors()}")
            self.lines.append(line.rstrip())
            if match := re.match(r"MQTT at (\S+):(\d+)", line):
                self.mqtt_host, self.mqtt_port = match[1], int(match[2])
            if line.startswith("CoAP at "):
                self.coap = line.split()[-1]
            if match := re.match(r"Gemel is running at (https?://[^/]+)", line):
                self.url = match[1]
                break
        if not self.token:
            self.token = self.make_token("--role", "admin")
        return self

    def make_token(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "gemel", "token", "create", "--data", str(self.data)]
        done = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **self.environment},
        )
        return done.stdout.strip()

    def errors(self) -> str:
        return self._errors.read_text() if self._errors.exists() else ""

    def http(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=START_SECONDS)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        with self.http() as client:
            answer = client.request(method, path, json=body, params=query or None)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(START_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        """SIGKILL: nothing can be finished."""
        self.process.kill()
        self.process.wait(START_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Running:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.stop()


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line)
    except ValueError:  # closed while we read
        pass
    lines.put("")
