"""What the environment says of buckets, and how their errors are worded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gemel.backends import object_access
from gemel.backends.object_access import EMULATOR, _connection, _s3_config, azure, s3
from gemel.backends.object_errors import CASES, worded
from gemel.core.errors import (
    ConfigInvalid,
    Conflict,
    Forbidden,
    GemelError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotOffered,
    Unavailable,
)

KEYS = "[default]\naws_access_key_id = AK\naws_secret_access_key = first\n"
MORE = "[line]\naws_access_key_id = LK\naws_secret_access_key = second\naws_session_token = t\n"
CONFIG = (
    "[default]\nregion = eu-central-1\n[profile line]\nregion = eu-west-1\n"
    "endpoint_url = https://minio.example\n[profile sso]\nsso_session = plant\n"
)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has called `aws configure`."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(KEYS + MORE)
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    return {"HOME": str(tmp_path)}


def test_the_files_of_aws_configure_are_read_where_the_environment_has_no_keys(
    home: dict[str, str],
) -> None:
    assert _s3_config(home) == {
        "region": "eu-central-1",
        "access_key_id": "AK",
        "secret_access_key": "first",
    }
    assert _s3_config(home | {"AWS_PROFILE": "line"}) == {
        "region": "eu-west-1",
        "endpoint": "https://minio.example",
        "access_key_id": "LK",
        "secret_access_key": "second",
        "session_token": "t",
    }


def test_what_the_environment_says_is_stronger(home: dict[str, str]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    assert _s3_config(home | keys) == {"region": "eu-central-1"}
    where = {"AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://e"}
    assert _s3_config(home | keys | where | {"AWS_PROFILE": "line"}) == {}
    assert _s3_config(home | {"AWS_WEB_IDENTITY_TOKEN_FILE": "f"}) == {"region": "eu-central-1"}
    assert _s3_config({}) == {}


def test_a_profile_that_cannot_be_used_is_told(home: dict[str, str]) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        _s3_config(home | {"AWS_PROFILE": "sso"})
    assert "aws configure export-credentials --profile sso" in caught.value.hint
    with pytest.raises(ConfigInvalid, match="no profile 'none'"):
        _s3_config(home | {"AWS_PROFILE": "none"})
    Path(home["HOME"], ".aws/credentials").write_text("no section = secret-secret\n")
    with pytest.raises(ConfigInvalid, match="cannot be read") as caught:
        _s3_config(home)
    assert "secret-secret" not in str(caught.value)


def test_a_connection_string_is_read() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=plant;AccountKey=YWI=;EndpointSuffix=c.cn"
    assert _connection(text) == {
        "account_name": "plant",
        "account_key": "YWI=",
        "endpoint": "https://plant.blob.c.cn",
    }
    found = _connection(
        "BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x%3D"
    )
    assert found == {
        "account_name": "a",
        "endpoint": "https://a.blob.core.windows.net",
        "sas_key": "sv=1&sig=x%3D",
    }
    assert _connection("UseDevelopmentStorage=true")["account_key"] == EMULATOR["AccountKey"]


@pytest.mark.parametrize("text", ["secret", "AccountKey=secret", ";"])
def test_a_connection_string_that_cannot_be_read_is_told_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        azure("c", "", {"AZURE_STORAGE_CONNECTION_STRING": text})
    assert "secret" not in str(caught.value)


def test_the_names_of_az_are_known() -> None:
    made = azure("c", "p", {"AZURE_STORAGE_ACCOUNT": "plant", "AZURE_STORAGE_KEY": "YWI="})
    assert made.place == "az://c/p"
    with pytest.raises(NotAuthenticated):
        azure("c", "", {})


@pytest.mark.parametrize("endpoint", ["minio.example:9000", "ftp://x", "http://", "http://u@h"])
def test_an_endpoint_that_is_no_address_is_told(endpoint: str) -> None:
    with pytest.raises(ConfigInvalid, match="is no address"):
        s3("b", "", {"AWS_ENDPOINT_URL": endpoint, "HOME": "/nonexistent"})


def test_a_file_of_certificates_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = {"AWS_CA_BUNDLE": str(tmp_path / "ca.pem"), "HOME": "/nonexistent"}
    with pytest.raises(ConfigInvalid, match="which AWS_CA_BUNDLE names, cannot be read"):
        s3("b", "", missing)


def test_a_first_request_is_given_up_sooner_than_a_later_one() -> None:
    assert object_access.RETRIES < object_access.PATIENT_RETRIES


# ---- errors ------------------------------------------------------------------------------------


def retried(inner: str) -> str:
    """As obstore words what it has tried again."""
    return (
        "Generic S3 error: Error performing PUT https://h/timeout/NoSuchBucket?sig=hidden in 3ms\n"
        'Debug source:\nGeneric { source: RetryError { path: "certificate/AccessDenied", '
        f"retry_timeout: 60s, inner: {inner} }} }}"
    )


GENERIC = "GenericError"
SAID: list[tuple[str, str, type[GemelError], str]] = [
    (GENERIC, "<Error><Code>NoSuchBucket</Code>", NotFound, "no such bucket"),
    (GENERIC, "<Code>ContainerNotFound</Code>", NotFound, "no such bucket"),
    (GENERIC, "http://169.254.169.254/latest/api/token Connect", NotAuthenticated, "no cred"),
    ("PermissionDeniedError", "<Code>SignatureDoesNotMatch</Code>", NotAuthenticated, "not take"),
    ("PermissionDeniedError", "<Code>ExpiredToken</Code>", NotAuthenticated, "not take"),
    ("UnauthenticatedError", "status: 401", NotAuthenticated, "not take"),
    ("PermissionDeniedError", "<Code>AccessDenied</Code>", Forbidden, "may not do this"),
    (GENERIC, "DeleteFailed { code: AccessDenied }", Forbidden, "may not do this"),
    (GENERIC, "Received redirect without LOCATION, incorrectly configured region", InvalidInput,
     "another region"),
    (GENERIC, "<Code>AuthorizationHeaderMalformed</Code>", InvalidInput, "another region"),
    ("AlreadyExistsError", "<Code>PreconditionFailed</Code>", Conflict, "already"),
    ("FileNotFoundError", "<Code>NoSuchKey</Code>", NotFound, "no such object"),
    ("InvalidPathError", "", InvalidInput, "cannot be used"),
    ("NotSupportedError", "", NotOffered, "does not offer"),
    ("PanicException", "called unwrap", ConfigInvalid, "variables"),
    (GENERIC, "dns error: failed to lookup address", Unavailable, "name service"),
    (GENERIC, "Connect, InvalidMessage(InvalidContentType)", Unavailable, "no TLS"),
    (GENERIC, "Connect, invalid peer certificate: UnknownIssuer", Unavailable, "not trusted"),
    (GENERIC, "kind: Connect, ConnectionRefused", Unavailable, "nothing answers"),
    (GENERIC, "kind: Timeout, TimedOut", Unavailable, "too busy"),
    (GENERIC, "status: 503 <Code>SlowDown</Code>", Unavailable, "too busy"),
    (GENERIC, "status: 418", Unavailable, "Error performing PUT"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "inner", "error", "says"), SAID)
def test_errors_of_the_library_become_ours(
    kind: str, inner: str, error: type[GemelError], says: str
) -> None:
    raised: Any = type(kind, (Exception,), {})(retried(inner))
    found = worded(raised, "s3://b/AccessDenied", "NoSuchKey")
    assert type(found) is error
    assert found.message.startswith("s3://b/AccessDenied/NoSuchKey: ")
    assert says in found.message
    assert found.hint
    assert "hidden" not in str(found)


def test_every_case_is_tried() -> None:
    tried = {
        next((c for c in CASES if c.pattern.search(f"{kind} {inner}")), None)
        for kind, inner, _, _ in SAID
    }
    assert tried >= set(CASES)


def test_every_error_of_the_library_is_told_by_its_class() -> None:
    """But the general one: a new one of a later version must be looked at."""
    import obstore.exceptions as theirs

    found = {name for name in dir(theirs) if name.endswith("Error")}
    assert found <= {
        "BaseError", "GenericError", "JoinError", "NotModifiedError", "AlreadyExistsError",
        "InvalidPathError", "NotFoundError", "NotSupportedError", "PermissionDeniedError",
        "PreconditionError", "UnauthenticatedError", "UnknownConfigurationKeyError",
    }  # fmt: skip
