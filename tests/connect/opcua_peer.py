"""The process of `opcua_server.py`, and words to it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

SCRIPT = Path(__file__).with_name("opcua_server.py")
NODE_SCRIPT = Path(__file__).with_name("node_opcua_server.cjs")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Peer:
    """A real server; it can be killed and started again on the same port."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.words = folder, words
        self.port = free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}/press"
        self.process: subprocess.Popen[str] | None = None

    def command(self) -> list[str]:
        return [sys.executable, str(SCRIPT), str(self.port), str(self.folder), *self.words]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._line() == "ready"

    def tell(self, *words: object) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        assert self._line() == "done"

    def _line(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            for stream in (self.process.stdin, self.process.stdout):
                assert stream is not None
                stream.close()
            self.process = None


class Wire:
    """Passes bytes between a port of its own and a server's; can be cut."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._ends: list[socket.socket] = []
        self._is_blocked = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self._is_blocked:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    near.close()
                    continue
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def block(self) -> None:
        """Cuts, and takes no further connection."""
        self._is_blocked = True
        self.cut()

    def unblock(self) -> None:
        self._is_blocked = False

    def cut(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()
        self.cut()


class NodePeer(Peer):
    """The same with the server of `node_opcua_server.cjs`; `words` is where its packages are."""

    def command(self) -> list[str]:
        return ["node", str(NODE_SCRIPT), str(self.port), str(self.folder), *self.words]

    def _line(self) -> str:
        """The next answer; the library prints warnings of its own between them."""
        while (line := super()._line()) not in ("ready", "done", ""):
            pass
        return line
