"""TLS for plants without certificates: an authority of our own, and a certificate by it."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gemel.core.clock import EPOCH, Clock
from gemel.core.errors import ConfigInvalid

AUTHORITY_DAYS = 3650
SERVER_DAYS = 397


def server_files(folder: Path, names: list[str], clock: Clock) -> tuple[Path, Path, Path]:
    """The (certificate, key, authority) files of a folder, made if missing or close to their end.

    Args:
        folder: where they are kept, keys with mode 0600.
        names: host names and addresses that the certificate is for.
        clock: tells today.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, authority_key = folder / "authority.pem", folder / "authority-key.pem"
    certificate, key = folder / "server.pem", folder / "server-key.pem"
    today = EPOCH + datetime.timedelta(seconds=clock() // 1_000_000_000)
    if not authority.exists() or not authority_key.exists() or _is_old(authority, today):
        _make_authority(authority, authority_key, today)
    if not _is_good(certificate, key, authority, names, today):
        _make_server(authority, authority_key, certificate, key, names, today)
    return certificate, key, authority


def faults(folder: Path) -> Iterator[tuple[str, str]]:
    """Files of a folder that cannot be read, or do not fit each other: name, and what is wrong."""
    certificates: dict[str, x509.Certificate] = {}
    keys: dict[str, PrivateKeyTypes] = {}
    for path in sorted(folder.glob("*")):
        try:
            text = path.read_bytes()
            if b"PRIVATE KEY" in text:
                keys[path.name] = serialization.load_pem_private_key(text, None)
            else:
                certificates[path.name] = x509.load_pem_x509_certificate(text)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            yield path.name, f"is no certificate or key any more: {error}"
    authority = certificates.get("authority.pem")
    for name, found in certificates.items():
        key_file = name.replace(".pem", "-key.pem")
        key = keys.get(key_file)
        try:
            if key is not None and key.public_key() != found.public_key():
                yield key_file, f"is not the key of {name}: one of them is not what was written"
            if authority is not None:
                found.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            yield name, "its signature does not fit: it, or authority.pem, is not what was written"


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server context for TLS 1.2 and later.

    Raises:
        ConfigInvalid: the files are not a certificate and its key.
    """
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        found.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigInvalid(
            f"certificate {certificate} with key {key} cannot be used: {error}",
            hint="both must be PEM and belong together",
        ) from error
    return found


def own_names(host: str) -> list[str]:
    """What this machine is called: by itself and, where it listens to all, by a phone beside it."""
    name = socket.gethostname()
    names = {"localhost", "127.0.0.1", "::1", name}
    if host in ("0.0.0.0", "::"):
        names |= {f"{name}.local"} if "." not in name else set()
        names |= set(_outward())
    else:
        names.add(host)
    return sorted(names)


def _outward() -> list[str]:
    """The address that this machine has towards others; asking sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation's own network, RFC 5737
        except OSError:
            return []
        return [str(probe.getsockname()[0])]


def fingerprint(file: Path) -> str:
    """SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` writes it."""
    found = x509.load_pem_x509_certificate(file.read_bytes())
    return found.fingerprint(hashes.SHA256()).hex(":").upper()


def _write(file: Path, content: bytes, mode: int) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as out:
        out.write(content)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _make_authority(file: Path, key_file: Path, today: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Gemel authority of this installation")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _pem(key), 0o600)
    _write(file, made.public_bytes(serialization.Encoding.PEM), 0o644)


def _make_server(
    authority: Path,
    authority_key: Path,
    file: Path,
    key_file: Path,
    names: list[str],
    today: datetime.datetime,
) -> None:
    issuer = x509.load_pem_x509_certificate(authority.read_bytes())
    issuer_key = serialization.load_pem_private_key(authority_key.read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(_name("Gemel"))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=SERVER_DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    _write(key_file, _pem(key), 0o600)
    _write(file, made.public_bytes(serialization.Encoding.PEM), 0o644)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_old(authority: Path, today: datetime.datetime) -> bool:
    """Whether an authority would end before a certificate that it makes today."""
    try:
        found = x509.load_pem_x509_certificate(authority.read_bytes())
    except ValueError as error:
        raise ConfigInvalid(
            f"{authority} is no certificate: {error}",
            hint="delete the folder it is in to have a new authority, which must be trusted anew",
        ) from error
    return found.not_valid_after_utc < today + datetime.timedelta(days=SERVER_DAYS)


def _is_good(
    file: Path, key_file: Path, authority: Path, names: list[str], today: datetime.datetime
) -> bool:
    """Whether a certificate is fresh, for these names, by this authority, and has its key."""
    if not file.exists() or not key_file.exists():
        return False
    try:
        found = x509.load_pem_x509_certificate(file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.read_bytes()))
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False  # cut off while it was written, or by an authority that is no more
    is_fresh = found.not_valid_after_utc > today + datetime.timedelta(days=30)
    is_own = key.public_key() == found.public_key()
    return is_fresh and is_own and all(_alternative(name) in held for name in names)
