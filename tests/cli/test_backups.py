"""gemel backup, restore, check and parquet: to S3, Azure Blob Storage and folders."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

import peers
from app.inside import Inside, inside
from cli.test_keep import ask, gemel, readings
from gemel.app import certificates, object_backup
from gemel.app.objects import opened
from gemel.backends import object_access
from gemel.backends.object_buckets import BucketObjects
from gemel.core import fast
from gemel.core.clock import system_clock
from object_stores import Store, entered


@pytest.fixture(autouse=True)
def as_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` notes it where the fast path is not compiled; what it says of backups is judged."""
    monkeypatch.setattr(fast, "slower", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    folder = tmp_path_factory.mktemp("backups") / "data"
    with inside(folder) as found:
        found.pumps("pump-1")
        for second in range(10):
            found.ingest("pump-1", flow=second, time=f"2026-01-01T00:00:{second:02d}Z")
        yield found


@pytest.fixture
def running(server: Inside) -> Path:
    return server.platform.folder.path


@pytest.fixture(params=[pytest.param(one, marks=pytest.mark.peer) for one in ("s3", "azure")])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    found: Store = request.getfixturevalue(f"{request.param}_store")
    entered(monkeypatch, found.environment)
    return found


def test_a_running_server_is_backed_up_to_a_bucket_and_restored(
    store: Store, running: Path, tmp_path: Path
) -> None:
    target = f"{store.address}/cli/backups"
    code, out, err = gemel("backup", target, "--data", running)
    assert (code, err) == (0, "")
    assert out.startswith(f"Backed up to {target}/gemel-2")
    assert list((running / "backups").iterdir()) == []
    second = ask("backup", target, "--data", running, "--keep", "1")
    assert second["copied"] < second["bytes"]
    [listed] = ask("restore", "--list", target)["backups"]
    assert (listed["backup"], listed["state"]) == (second["folder"], "whole")
    assert listed["readings"] == 10
    assert gemel("check", "--data", second["folder"])[:2] == (0, "sound\n")
    code, out, err = gemel("restore", second["folder"], "--data", tmp_path / "new")
    assert (code, err) == (0, "")
    assert gemel("check", "--data", tmp_path / "new")[:2] == (0, "sound\n")
    assert readings(tmp_path / "new") == 10


def test_readings_go_to_a_bucket_as_parquet(store: Store, running: Path) -> None:
    file = f"{store.address}/lake/readings.parquet"
    told = ask("parquet", file, "--data", running)
    assert (told["file"], told["readings"]) == (file, 10)
    content = b"".join(opened(f"{store.address}/lake").get("readings.parquet"))
    assert len(content) == told["bytes"]
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    assert [row["value"] for row in rows] == list(range(10))
    code, _, err = gemel("parquet", file, "--data", running)
    assert code == 1
    assert f"there is {file} already" in err or f"{file}: there is one" in err


@pytest.mark.peer
def test_duckdb_reads_days_in_a_bucket_as_one_table(
    s3_store: Store, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, why_not = peers.pip("duckdb-httpfs", "duckdb==1.5.5", "duckdb-extension-httpfs==1.5.5")
    if folder is None:
        pytest.skip(why_not)
    entered(monkeypatch, s3_store.environment)
    days = f"{s3_store.address}/days"
    for second in (0, 5):
        span = (f"2026-01-01T00:00:{second:02d}Z", f"2026-01-01T00:00:{second + 5:02d}Z")
        file = f"{days}/date=2026-01-{second + 1:02d}/readings.parquet"
        ask("parquet", file, "--data", running, "--from", span[0], "--to", span[1])
    words = [sys.executable, str(Path(__file__).with_name("duckdb_peer.py"))]
    done = subprocess.run(
        [*words, f"{days}/*/*.parquet"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = done.stdout.strip()
    assert found == (
        "[('2026-01-01', 'pump-1', 'flow', 5, 2.0), ('2026-01-06', 'pump-1', 'flow', 5, 7.0)]"
    ), done.stderr


class Relay:
    """A way to a store, with TLS if asked, that can be cut: nothing arrives from then on."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        host, _, port = url.partition("//")[2].partition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = (
            f"http{'s' * (context is not None)}://127.0.0.1:{self._listener.getsockname()[1]}"
        )
        self._sockets = [self._listener]
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._join(self._listener.accept()[0])

    def _join(self, near: socket.socket) -> None:
        if self._context is not None:
            try:
                near = self._context.wrap_socket(near, server_side=True)
            except OSError:  # a client that does not trust it
                return
        far = socket.create_connection(self._target)
        self._sockets += [near, far]
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(1 << 16):
                other.sendall(piece)
            other.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        self.is_cut = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.mark.peer
def test_a_network_that_goes_away_leaves_no_half_backup(
    s3_store: Store, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_access, "PATIENT_RETRIES", 1)
    monkeypatch.setattr(object_backup, "PIECE", 2000)
    relay = Relay(s3_store.environment["AWS_ENDPOINT_URL"])
    entered(monkeypatch, s3_store.environment | {"AWS_ENDPOINT_URL": relay.url})
    target = f"{s3_store.address}/cut"
    real, left = BucketObjects.put, [9]  # the last four may be under way

    def put(self: BucketObjects, name: str, pieces: Iterable[bytes], **more: Any) -> int:
        left[0] -= 1
        if left[0] == 0:
            relay.cut()
        return real(self, name, pieces, **more)

    monkeypatch.setattr(BucketObjects, "put", put)
    err = refused("backup", target, "--data", running)
    assert relay.is_cut
    assert "nothing answers there" in err or "did not answer" in err
    monkeypatch.setattr(BucketObjects, "put", real)
    entered(monkeypatch, s3_store.environment)
    assert ask("restore", "--list", target)["backups"] == []
    sent = sum(one.bytes for one in opened(target).list("pieces"))
    made = ask("backup", target, "--data", running)
    assert sent > 0
    assert made["copied"] < made["bytes"]
    assert [one.name for one in opened(target).list("unfinished")] == []
    ask("restore", made["folder"], "--data", tmp_path / "new")
    assert readings(tmp_path / "new") == 10


@pytest.mark.peer
def test_a_store_with_a_certificate_of_an_own_authority_is_trusted_if_asked(
    s3_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_access, "RETRIES", 0)
    certificate, key, authority = certificates.server_files(tmp_path, ["127.0.0.1"], system_clock)
    plain = s3_store.environment["AWS_ENDPOINT_URL"]
    relay = Relay(plain, certificates.context(certificate, key))
    place = f"{s3_store.address}/tls"
    entered(monkeypatch, s3_store.environment | {"AWS_ENDPOINT_URL": relay.url})
    assert "its certificate is not trusted" in refused("restore", "--list", place)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    assert ask("restore", "--list", place) == {"backups": []}
    monkeypatch.setenv("AWS_ENDPOINT_URL", plain.replace("http:", "https:"))
    assert "it speaks no TLS there" in refused("restore", "--list", place)
    relay.cut()


# ---- what goes wrong ---------------------------------------------------------------------------


def refused(*words: str | Path) -> str:
    code, out, err = gemel(*words)
    assert (code, out) == (1, "")
    assert err.count("\n") <= 3, err
    return err


def test_a_bucket_that_is_not_there_is_told(store: Store, running: Path, tmp_path: Path) -> None:
    scheme = store.address.partition("://")[0]
    place = f"{scheme}://no-such-bucket/b"
    for words in (
        ("backup", place, "--data", running),
        ("restore", "--list", place),
        ("restore", f"{place}/gemel-1", "--data", tmp_path / "new"),
        ("check", "--data", f"{place}/gemel-1"),
        ("parquet", f"{place}/x.parquet", "--data", running),
    ):
        err = refused(*words)
        assert place in err
        assert "there is no such bucket or container" in err
        assert "AWS_REGION" in err
    assert not (tmp_path / "new").exists()


def test_who_may_only_read_is_told_and_may_restore(
    store: Store, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"{store.address}/rights"
    made = ask("backup", target, "--data", running)
    entered(monkeypatch, store.reader)
    for words in (
        ("backup", target, "--data", running),
        ("parquet", f"{target}/x.parquet", "--data", running),
    ):
        err = refused(*words)
        assert "may not do this" in err
        assert not any(secret in err for secret in store.secrets)
    assert ask("restore", made["folder"], "--data", tmp_path / "new")["files"] == made["files"]


def test_wrong_credentials_are_told_and_not_shown(
    store: Store, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "d3Jvbmcgd3Jvbmcgd3Jvbmc="
    if store.address.startswith("s3"):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong)
    else:
        text = store.environment["AZURE_STORAGE_CONNECTION_STRING"]
        value = text.partition("AccountKey=")[0] + f"AccountKey={wrong}"
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", value)
    err = refused("backup", f"{store.address}/b", "--data", running)
    assert "does not take these credentials" in err or "may not do this" in err
    assert wrong not in err


@pytest.mark.parametrize("scheme", ["s3", "az"])
def test_a_store_that_does_not_answer_is_told(
    scheme: str, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_access, "RETRIES", 1)
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        account = f"AccountName=a;AccountKey=YQ==;BlobEndpoint={url}/a"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": url}
        keys["AZURE_STORAGE_CONNECTION_STRING"] = account
        entered(monkeypatch, keys)
        err = refused("backup", f"{scheme}://bucket/b", "--data", running)
    assert f"{scheme}://bucket/b" in err
    assert "nothing answers there" in err


@pytest.mark.parametrize("scheme", ["s3", "az"])
def test_no_credentials_are_told(
    scheme: str, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_access, "RETRIES", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        machine = {"AWS_METADATA_ENDPOINT": url, "AZURE_IDENTITY_ENDPOINT": f"{url}/metadata"}
        entered(monkeypatch, machine | {"AZURE_STORAGE_ACCOUNT": "a"})
        err = refused("backup", f"{scheme}://bucket/b", "--data", running)
    assert "no credentials were found" in err
    assert "AWS_ACCESS_KEY_ID" in err


def test_an_account_is_needed_for_azure(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered(monkeypatch, {})
    err = refused("backup", "az://container/b", "--data", running)
    assert "no storage account is named" in err
    assert "AZURE_STORAGE_ACCOUNT" in err


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("gs://bucket/b", "'gs://' is not known here"),
        ("https://a.blob.core.windows.net/b", "'https://' is not known here"),
        ("s3://key:secret@bucket/b", "never a secret"),
        ("az://container/b?sig=secret", "never a secret"),
        ("s3:///b", "is no name in a bucket"),
        ("s3://bucket//b", "is no name in a bucket"),
        ("s3://bucket/../b", "is no name in a bucket"),
        ("file://elsewhere/b", "is no file here"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(
    address: str, says: str, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(monkeypatch, {})
    for words in (("backup", address), ("parquet", f"{address}/x.parquet")):
        err = refused(*words, "--data", running)
        assert says in err
        assert "secret@" not in err
        assert "sig=secret" not in err


def test_without_the_library_the_extra_is_named(
    running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    err = refused("backup", "s3://bucket/b", "--data", running)
    assert "pip install 'gemel[objects]'" in err


def test_keep_and_data_are_looked_at(running: Path, tmp_path: Path) -> None:
    assert "at least 1" in refused("backup", tmp_path / "b", "--data", running, "--keep", "-1")
    assert "--data" in refused("restore", tmp_path / "b")


# ---- folders -----------------------------------------------------------------------------------


def test_folders_keep_the_newest_and_are_listed(running: Path, tmp_path: Path) -> None:
    target = f"file://{tmp_path}/b"
    first = ask("backup", target, "--data", running)
    shutil.copytree(first["folder"], tmp_path / "b" / "gemel-before-the-move")
    for _ in range(2):
        made = ask("backup", target, "--data", running, "--keep", "2")
    assert not Path(first["folder"]).exists()
    found = ask("restore", "--list", target)["backups"]
    assert len(found) == 3
    assert made["folder"] in [one["backup"] for one in found]
    assert {one["readings"] for one in found} == {10}
    (tmp_path / "b" / "gemel-before-the-move" / "manifest.json").write_text("{")
    code, out, _ = gemel("restore", "--list", target)
    assert code == 0
    assert "is damaged" in out
    assert ask("restore", "--list", tmp_path)["backups"] == []


@pytest.mark.peer
def test_a_bucket_copied_to_a_folder_is_restored_from_there(
    s3_store: Store, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered(monkeypatch, s3_store.environment)
    made = ask("backup", f"{s3_store.address}/copied", "--data", running)
    bucket = opened(f"{s3_store.address}/copied")
    for one in bucket.list(""):
        path = tmp_path / "copy" / one.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(bucket.get(one.name)))
    entered(monkeypatch, {})
    name = made["folder"].rpartition("/")[2]
    [listed] = ask("restore", "--list", tmp_path / "copy")["backups"]
    assert listed["backup"] == f"{tmp_path}/copy/{name}"
    assert gemel("check", "--data", listed["backup"])[:2] == (0, "sound\n")
    ask("restore", listed["backup"], "--data", tmp_path / "new")
    assert readings(tmp_path / "new") == 10


def test_damage_in_a_bucket_is_found_by_check(running: Path, tmp_path: Path) -> None:
    """Here a folder stands for the bucket."""
    (tmp_path / "place").mkdir()
    made = ask("backup", tmp_path / "b", "--data", running)
    place = opened(str(tmp_path / "place"))
    about = {"counts": {}, "damage": []}
    stored = object_backup.store(place, Path(made["folder"]), about, 0)
    entry = object_backup.manifest(place, str(stored.place).rpartition("/")[2])["files"][0]
    path = next((tmp_path / "place").rglob(entry["pieces"][0]))
    path.write_bytes(path.read_bytes()[:-1] + b"\xff\xfe")
    code, out, _ = gemel("check", "--data", stored.place)
    assert code == 1
    assert entry["name"] in out
    assert "DAMAGED" in out
    assert orjson.loads(gemel("check", "--data", stored.place, "--json")[1])["sound"] is False
