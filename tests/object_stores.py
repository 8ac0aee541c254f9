"""Real stores of objects to test against: moto's server for S3, Azurite for Azure Blob Storage."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

import peers
from gemel.backends.object_access import EMULATOR

HERE = Path(__file__).parent
MOTO = ("moto[s3]==5.2.5", "flask>=3", "flask-cors>=5")
AZURITE = "azurite@3.37.0"
ACCOUNT = EMULATOR["AccountName"]
CONTAINER = "plant"
VERSION = "2021-12-02"


@dataclass(frozen=True)
class Store:
    """A bucket that is empty at first, and what the environment of its users says."""

    address: str
    environment: dict[str, str]
    reader: dict[str, str]
    """Of one who may read and list alone."""
    secrets: list[str] = field(default_factory=list)
    """What no message may show."""


@contextmanager
def s3() -> Iterator[Store]:
    folder, why_not = peers.pip("moto-s3", *MOTO)
    if folder is None:
        pytest.skip(why_not)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "AZURE_"))}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(HERE / "moto_peer.py")],
        env=kept | {"PYTHONPATH": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            told = json.loads(child.stdout.readline())
            where = {"AWS_ENDPOINT_URL": told["url"], "AWS_REGION": "us-east-1"}
            users = {name: where | keys for name, keys in told["keys"].items()}
            secrets = [keys["AWS_SECRET_ACCESS_KEY"] for keys in told["keys"].values()]
            yield Store("s3://plant", users["all"], users["reader"], secrets)
        finally:
            child.send_signal(signal.SIGTERM)


@contextmanager
def azure(folder: Path) -> Iterator[Store]:
    packages, why_not = peers.npm(AZURITE)
    if packages is None:
        pytest.skip(why_not)
    program = packages / "node_modules/azurite/dist/src/blob/main.js"
    words = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--location", str(folder)]
    with subprocess.Popen(
        ["node", str(program), *words, "--skipApiVersionCheck", "--disableTelemetry"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            url = _address(child.stdout)
            _make_container(url)
            where = f"AccountName={ACCOUNT};BlobEndpoint={url}"
            key, reader = EMULATOR["AccountKey"], _signature("rl")
            yield Store(
                f"az://{CONTAINER}",
                {"AZURE_STORAGE_CONNECTION_STRING": f"{where};AccountKey={key}"},
                {"AZURE_STORAGE_CONNECTION_STRING": f"{where};SharedAccessSignature={reader}"},
                [key, reader.partition("sig=")[2]],
            )
        finally:
            child.send_signal(signal.SIGTERM)


def _address(lines: Iterator[str]) -> str:
    for line in lines:
        if found := re.search(r"listens on (http://[\d.:]+)", line):
            return f"{found[1]}/{ACCOUNT}"
    raise AssertionError("Azurite did not start")


def _signed(text: str) -> str:
    key = base64.b64decode(EMULATOR["AccountKey"])
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def _make_container(url: str) -> None:
    """Create Container, signed with the shared key as Azure's REST reference says."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    resource = f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
    signature = _signed("PUT" + "\n" * 12 + lines + resource)
    headers |= {"Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": "0"}
    answer = httpx.put(f"{url}/{CONTAINER}?restype=container", headers=headers)
    assert answer.status_code == 201, answer.text


def _signature(rights: str) -> str:
    """A shared access signature of the account, for objects of a container."""
    fields = {"sv": "2019-12-12", "ss": "b", "srt": "sco", "sp": rights, "se": "2099-01-01"}
    order = [ACCOUNT, rights, "b", "sco", "", fields["se"], "", "", fields["sv"], ""]
    fields["sig"] = _signed("\n".join(order))
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())


VARIABLES = ("AWS_", "AZURE_")


def entered(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """The environment of a user of such a store, and nothing of ours."""
    for name in os.environ:
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nonexistent")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
