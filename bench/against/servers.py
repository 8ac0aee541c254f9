"""Servers from Debian on free loopback ports and folders of their own, ended by their own pids."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE = 30


class NotHere(Exception):
    """A server cannot be had or does not start; the text says why."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


def installed(program: str, package: str) -> str:
    """The path of a program; its Debian package is installed where that may be done."""
    places = f"{os.environ['PATH']}:/usr/sbin:" + ":".join(
        str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    found = shutil.which(program, path=places)
    if found is None:
        if os.getuid() or not shutil.which("apt-get"):
            raise NotHere(f"{program} is not installed; apt-get install {package}")
        print(f"installing {package} from Debian", file=sys.stderr)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise NotHere(f"{package} cannot be installed: {done.stderr.strip()[-200:]}")
        places += ":" + ":".join(str(p) for p in Path("/usr/lib/postgresql").glob("*/bin"))
        found = shutil.which(program, path=places)
    if found is None:
        raise NotHere(f"{package} brings no {program}")
    return found


class Server:
    """A process that is ready when `is_ready` says so."""

    process: subprocess.Popen[bytes]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True)

    def start(self, command: list[str], **options: object) -> None:
        with (self.folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **options)  # type: ignore[call-overload]
        end = time.monotonic() + PATIENCE
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                text = (self.folder / "log.txt").read_text(errors="replace")[-300:]
                self.stop()
                raise NotHere(f"{Path(command[0]).name} does not start: {text}")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Mosquitto(Server):
    """As one sets it up who must not lose messages: queues without a limit. Nothing is on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_queued_messages 0\nmax_inflight_messages 1000\nlog_type error\n"
        )
        self.start([installed("mosquitto", "mosquitto"), "-c", str(config)])


class Influx(Server):
    def __init__(self, folder: Path, http: str = "") -> None:
        """`http`: further settings of how it listens."""
        super().__init__(folder)
        config = folder / "influxdb.conf"
        config.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
cache-snapshot-write-cold-duration = "2s"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{self.port}"
log-enabled = false
max-body-size = 0
{http}
[monitor]
store-enabled = false
"""
        )
        self.start([installed("influxd", "influxdb"), "-config", str(config)])
        self.ask("/query?q=CREATE+DATABASE+load", b"")

    def is_ready(self) -> bool:
        try:
            self.ask("/ping")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=120) as answer:
            return bytes(answer.read())


class Postgres(Server):
    """A cluster of its own, run by the user postgres where we are root; fsync as it comes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        initdb, postgres = installed("initdb", "postgresql"), installed("postgres", "postgresql")
        data = folder / "data"
        options: dict[str, object] = {"cwd": folder}
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            folder.chmod(0o755)
            for parent in folder.parents[:2]:
                if parent != Path("/tmp"):
                    parent.chmod(0o755)
            options |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        command = [initdb, "-D", str(data), "-A", "trust", "-U", "load", "--locale=C", "-E", "UTF8"]
        done = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]
        if done.returncode:
            raise NotHere(f"initdb failed: {done.stderr[-300:]}")
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "shared_buffers": "1GB", "max_wal_size": "4GB",
        }  # fmt: skip
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.start([postgres, "-D", str(data), *words], **options)

    def is_ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.address, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def address(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=load dbname=postgres"
