"""Our own certificate as an OPC UA application: made once, kept, shown to servers.

Source: OPC UA 1.05 part 6, 6.2.2 (application instance certificates).
"""

from __future__ import annotations

import datetime
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gemel.core.clock import EPOCH, SECOND
from gemel.core.errors import Damaged

CERTIFICATE, KEY = "certificate.der", "key.pem"
YEARS = 20
"""A new certificate must be trusted anew at every server, by hand: so it lasts."""
BITS = 2048
BEFORE = datetime.timedelta(days=1)
"""It is valid from this long ago: clocks differ."""


class Identity(NamedTuple):
    certificate: Path
    """DER."""
    key: Path
    """PEM."""
    uri: str


def identity(folder: Path, now: int) -> Identity:
    """The files of a folder, made at first need.

    Raises:
        Damaged: what is there is no certificate of ours.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not certificate.exists() or not key.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(certificate, key, EPOCH + datetime.timedelta(seconds=now // SECOND))
    try:
        found = x509.load_der_x509_certificate(certificate.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        [uri] = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise Damaged(
            f"{certificate} is no certificate of an OPC UA application: {error}",
            hint=f"delete {folder}; a new one is made, which servers must trust anew",
        ) from error
    return Identity(certificate, key, uri)


def faults(folder: Path) -> Iterator[tuple[str, str]]:
    """Files of a folder that are not what was written: name, and what is wrong."""
    if not folder.is_dir():
        return
    found: dict[str, Any] = {}
    loaders: dict[str, Callable[[bytes], Any]] = {
        CERTIFICATE: x509.load_der_x509_certificate,
        KEY: lambda content: serialization.load_pem_private_key(content, None),
    }
    for name, load in loaders.items():
        try:
            found[name] = load((folder / name).read_bytes()).public_key()
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            yield name, f"is no certificate or key any more: {error}"
    if len(found) == 2 and found[CERTIFICATE] != found[KEY]:
        yield KEY, f"is not the key of {CERTIFICATE}: one of them is not what was written"
        return
    if CERTIFICATE not in found:
        return
    try:
        own = x509.load_der_x509_certificate((folder / CERTIFICATE).read_bytes())
        own.verify_directly_issued_by(own)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        yield CERTIFICATE, "its signature does not fit: it is not what was written"


def fingerprint(der: bytes) -> str:
    """SHA-256 of the first certificate of a chain, as `openssl x509 -fingerprint` writes it."""
    found = x509.load_der_x509_certificate(der[: length_of(der)])
    return found.fingerprint(hashes.SHA256()).hex(":").upper()


def length_of(der: bytes) -> int:
    """Bytes of the first certificate in a chain of them (X.690, 8.1.3)."""
    if len(der) < 2 or der[1] < 0x80:
        return len(der)
    more = der[1] & 0x7F
    return 2 + more + int.from_bytes(der[2 : 2 + more], "big")


def _make(certificate: Path, key: Path, today: datetime.datetime) -> None:
    host = socket.gethostname()
    secret = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"Gemel on {host}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Gemel"),
        ]
    )
    names = [
        x509.UniformResourceIdentifier(f"urn:gemel:{secrets.token_hex(8)}"),
        x509.DNSName(host),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - BEFORE)
        .not_valid_after(today + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(secret.public_key()), False)
        .sign(secret, hashes.SHA256())
    )
    _write(
        key,
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    _write(certificate, made.public_bytes(serialization.Encoding.DER))


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(file: Path, content: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
