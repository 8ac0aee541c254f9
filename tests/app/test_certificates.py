"""The own authority and its certificates: a real handshake, and renewal in time."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from gemel.app.certificates import AUTHORITY_DAYS, SERVER_DAYS, context, server_files
from gemel.core.clock import FakeClock, system_clock
from gemel.core.errors import ConfigInvalid

NAMES = ["localhost", "127.0.0.1", "plant.example"]
DAY = 86_400


def handshake(certificate: Path, key: Path, authority: Path, name: str) -> str:
    """The TLS version that a client which trusts the authority agrees on."""
    here, there = socket.socketpair()
    server = context(certificate, key)

    def serve() -> None:
        try:
            with server.wrap_socket(there, server_side=True) as secure:
                secure.recv(1)
        except (ssl.SSLError, OSError):
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client = ssl.create_default_context(cafile=str(authority))
        with client.wrap_socket(here, server_hostname=name) as secure:
            version = secure.version()
            secure.send(b"x")
        assert version is not None
        return version
    finally:
        here.close()
        thread.join(60)


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_connects(name: str, tmp_path: Path) -> None:
    assert handshake(*server_files(tmp_path, NAMES, system_clock), name) == "TLSv1.3"


def test_a_client_that_wants_another_name_or_authority_does_not(tmp_path: Path) -> None:
    certificate, key, authority = server_files(tmp_path / "a", NAMES, system_clock)
    other = server_files(tmp_path / "b", NAMES, system_clock)[2]
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificate, key, authority, "elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificate, key, other, "localhost")


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    server_files(tmp_path / "tls", NAMES, system_clock)
    for file in (tmp_path / "tls").glob("*-key.pem"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_good_is_kept_and_renewed_near_its_end(tmp_path: Path) -> None:
    clock = FakeClock()
    certificate, _, authority = server_files(tmp_path, NAMES, clock)
    first, trusted = certificate.read_bytes(), authority.read_bytes()
    clock.advance((SERVER_DAYS - 31) * DAY)
    server_files(tmp_path, NAMES, clock)
    assert certificate.read_bytes() == first
    clock.advance(2 * DAY)
    server_files(tmp_path, NAMES, clock)
    assert certificate.read_bytes() != first
    assert authority.read_bytes() == trusted, "trust must outlive the certificate"
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(trusted))


def test_the_authority_never_ends_before_its_certificate(tmp_path: Path) -> None:
    clock = FakeClock()
    server_files(tmp_path, NAMES, clock)
    clock.advance((AUTHORITY_DAYS - 10) * DAY)
    certificate, _, authority = server_files(tmp_path, NAMES, clock)
    ends = [
        x509.load_pem_x509_certificate(f.read_bytes()).not_valid_after_utc
        for f in (certificate, authority)
    ]
    assert ends[0] <= ends[1]


def test_another_name_gets_a_certificate_for_it(tmp_path: Path) -> None:
    server_files(tmp_path, NAMES, system_clock)
    assert handshake(*server_files(tmp_path, ["10.0.0.7", "new"], system_clock), "10.0.0.7")


@pytest.mark.parametrize("damage", ["cut", "empty", "key", "authority"])
def test_what_a_crash_left_half_is_made_anew(damage: str, tmp_path: Path) -> None:
    certificate, key, authority = server_files(tmp_path / "a", NAMES, system_clock)
    _, other_key, _ = server_files(tmp_path / "b", NAMES, system_clock)
    if damage == "cut":
        certificate.write_bytes(certificate.read_bytes()[:200])
    elif damage == "empty":
        key.write_bytes(b"")
    elif damage == "key":
        key.write_bytes(other_key.read_bytes())
    else:
        authority.unlink()
    assert handshake(*server_files(tmp_path / "a", NAMES, system_clock), "localhost")


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    certificate, _, authority = server_files(tmp_path, NAMES, system_clock)
    with pytest.raises(ConfigInvalid, match="cannot be used"):
        context(certificate, tmp_path / "authority-key.pem")
    with pytest.raises(ConfigInvalid, match="cannot be used"):
        context(tmp_path / "none.pem", tmp_path / "none.pem")
    authority.write_text("nothing")
    with pytest.raises(ConfigInvalid, match="is no certificate"):
        server_files(tmp_path, NAMES, system_clock)
