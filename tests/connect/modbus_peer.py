"""The process of `modbus_server.c`, words to it, and serial lines of pseudo terminals."""

from __future__ import annotations

import os
import pty
import select
import shutil
import socket
import subprocess
import threading
import tty
from contextlib import suppress
from pathlib import Path

import pytest

from connect.opcua_peer import Peer, free_port

SOURCE = Path(__file__).with_name("modbus_server.c")


def built(folder: Path) -> Path:
    """The server, compiled; the test is skipped where that is not possible, but not in CI."""
    program = folder / "modbus_server"
    if program.exists():
        return program
    compiler = shutil.which("cc")
    said = "there is no C compiler"
    if compiler is not None:
        command = [compiler, "-O1", "-Wall", "-I/usr/include/modbus", str(SOURCE)]
        ran = subprocess.run(
            [*command, "-o", str(program), "-lmodbus"], capture_output=True, text=True, check=False
        )
        if ran.returncode == 0:
            return program
        said = f"libmodbus-dev is not installed: {ran.stderr.strip()[-300:]}"
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)


class ModbusPeer(Peer):
    """A real server; `words` is how it is started: `tcp`, or `rtu`, a line and a unit id."""

    def __init__(self, folder: Path, *words: str) -> None:
        super().__init__(folder, *words)
        self.program = built(folder)
        self.address = f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        words = self.words or ("tcp", str(self.port))
        return [str(self.program), *words]

    def ask(self, *words: object) -> int:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return int(self._line())

    def set(self, table: str, address: int, *values: int) -> None:
        for place, value in enumerate(values, address):
            self.tell("set", table, place, value)

    def reset(self) -> None:
        """As it was in the beginning, but for its registers."""
        for words in ("allow", "most 2000", "refuse 0", "mute -1", "plain 0", "late 0"):
            self.tell(words)


class Bus:
    """A serial line: what one end writes, the other reads; `ends` are the files."""

    def __init__(self) -> None:
        self._files = [pty.openpty() for _ in range(2)]
        for pair in self._files:
            for file in pair:
                tty.setraw(file)
        self.ends = [os.ttyname(near) for _, near in self._files]
        self._stop_read, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._pass, daemon=True)
        self._thread.start()

    def _pass(self) -> None:
        one, other = (far for far, _ in self._files)
        across = {one: other, other: one}
        while True:
            ready, _, _ = select.select([one, other, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for file in ready:
                os.write(across[file], os.read(file, 4096))

    def disturb(self, data: bytes) -> None:
        """Bytes that nobody sent, for the second end."""
        os.write(self._files[1][0], data)

    def close(self) -> None:
        os.close(self._stop)
        self._thread.join(10)
        for file in (*self._files[0], *self._files[1], self._stop_read):
            os.close(file)


class Gateway:
    """Passes bytes between TCP connections, one at a time, and a serial line."""

    def __init__(self, line: str) -> None:
        self.port = free_port()
        self._line = os.open(line, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._line)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._stop_read, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client: socket.socket | None = None
        while True:
            files: list[object] = [self._stop_read, self._line, client or self._listener]
            ready, _, _ = select.select(files, [], [])
            if self._stop_read in ready:
                break
            if client is None and self._listener in ready:
                client, _ = self._listener.accept()
            elif client is not None and client in ready:
                data = b""
                with suppress(OSError):
                    data = client.recv(4096)
                if data:
                    os.write(self._line, data)
                else:
                    client.close()
                    client = None
            if self._line in ready:
                data = os.read(self._line, 4096)
                if client is not None:
                    with suppress(OSError):
                        client.sendall(data)
        if client is not None:
            client.close()

    def close(self) -> None:
        os.close(self._stop)
        self._thread.join(10)
        self._listener.close()
        os.close(self._line)
        os.close(self._stop_read)
