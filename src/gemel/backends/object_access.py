"""Opens buckets with what the environment says: the variables and files that their own tools use.

S3: `AWS_...` variables (obstore reads them itself: keys, web identity, roles of containers and
machines) and the files of `aws configure`. Azure: `AZURE_...` variables, those of `az` and the
connection string too. No secret is ever part of an address, of a message or of a log.
"""

from __future__ import annotations

import configparser
import importlib
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from gemel.backends.object_buckets import BucketObjects
from gemel.backends.object_errors import worded
from gemel.core.errors import ConfigInvalid, InvalidInput, NotAuthenticated

RETRIES = 3
"""Of a request before the store has answered any: whoever mistyped an address is told soon."""
PATIENT_RETRIES = 100
RETRY_SECONDS = 60
"""Within them all others are tried again: a network that comes back breaks nothing off."""
REQUEST_SECONDS = 600
"""A part of 16 MiB gets through in that time at 28 kB/s."""
ENDPOINT = re.compile(r"https?://[^/\s@?#]+(/[^\s?#]*)?$")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
CERTIFICATES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")
"""Whom to trust beside the authorities of the system."""
PROFILE = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
EMULATOR = {
    "AccountName": "devstoreaccount1",
    "AccountKey": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
    "K1SZFPTOtr/KBHBeksoGMGw==",
    "BlobEndpoint": "http://127.0.0.1:10000/devstoreaccount1",
}
"""What UseDevelopmentStorage=true stands for, the same everywhere."""


def s3(bucket: str, prefix: str, environment: Mapping[str, str]) -> BucketObjects:
    """A bucket of Amazon S3 or of what speaks like it.

    Raises:
        InvalidInput: obstore is not installed.
        ConfigInvalid: the environment or the files of `aws configure` say what cannot be used.
    """
    config = _s3_config(environment)
    endpoint = next((environment[name] for name in ENDPOINTS if environment.get(name)), "")
    place = _place("s3", bucket, prefix)
    client = _client(endpoint or config.get("endpoint", ""), place, environment)
    return _opened("S3Store", bucket, prefix, config, client, place)


def _s3_config(environment: Mapping[str, str]) -> dict[str, str]:
    """What the files of `aws configure` say and the environment does not."""
    name = environment.get("AWS_PROFILE", "")
    found = _profile(name, environment)
    has_keys = bool(environment.get("AWS_ACCESS_KEY_ID"))
    if has_keys or (not name and any(environment.get(role) for role in ROLES)):
        found = {key: found[key] for key in found if not key.startswith("aws_")}
    elif name and "aws_access_key_id" not in found:
        raise ConfigInvalid(
            f"the profile '{name}' of AWS_PROFILE has no keys of its own",
            hint=f'eval "$(aws configure export-credentials --profile {name} --format env)"',
        )
    if environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        found.pop("region", None)
    if any(environment.get(one) for one in ENDPOINTS):
        found.pop("endpoint_url", None)
    return {PROFILE[key]: found[key] for key in found if key in PROFILE}


def _profile(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    home = Path(environment.get("HOME", "/nonexistent"))
    keys = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials")
    rest = Path(environment.get("AWS_CONFIG_FILE") or home / ".aws/config")
    wanted = name or "default"
    found: dict[str, str] = {}
    is_there = False
    for path, section in ((rest, f"profile {wanted}" if name else wanted), (keys, wanted)):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            what = f"{path} cannot be read: {type(error).__name__}"
            raise ConfigInvalid(what, hint="mend it, or set AWS_ACCESS_KEY_ID") from error
        if parser.has_section(section):
            is_there = True
            found |= dict(parser.items(section))
    if name and not is_there:
        raise ConfigInvalid(
            f"there is no profile '{name}', which AWS_PROFILE names, in {keys} or {rest}",
            hint="aws configure list-profiles lists them",
        )
    return found


def azure(container: str, prefix: str, environment: Mapping[str, str]) -> BucketObjects:
    """A container of Azure Blob Storage.

    Raises:
        InvalidInput: obstore is not installed.
        NotAuthenticated: no account is named.
        ConfigInvalid: the connection string cannot be read.
    """
    text = environment.get("AZURE_STORAGE_CONNECTION_STRING", "")
    config = _connection(text) if text else _azure_config(environment)
    if not config.get("account_name") and not environment.get("AZURE_STORAGE_ACCOUNT_NAME"):
        raise NotAuthenticated(
            f"az://{container}: no storage account is named",
            hint="set AZURE_STORAGE_ACCOUNT, or AZURE_STORAGE_CONNECTION_STRING",
        )
    endpoint = config.get("endpoint") or environment.get("AZURE_STORAGE_ENDPOINT", "")
    place = _place("az", container, prefix)
    client = _client(endpoint, place, environment)
    return _opened("AzureStore", container, prefix, config, client, place)


def _azure_config(environment: Mapping[str, str]) -> dict[str, str]:
    """The names that `az` knows; obstore reads others itself."""
    names = {"AZURE_STORAGE_ACCOUNT": "account_name", "AZURE_STORAGE_KEY": "account_key"}
    return {key: environment[name] for name, key in names.items() if environment.get(name)}


def _connection(text: str) -> dict[str, str]:
    """`AccountName=...;AccountKey=...;EndpointSuffix=...` as the portal of Azure shows it."""
    parts = {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, mark, value = part.partition("=")
        if not mark:
            raise _bad_connection("a part of it has no =")
        parts[name] = value
    if parts.get("UseDevelopmentStorage") == "true":
        parts = EMULATOR | parts
    if "AccountName" not in parts and "BlobEndpoint" not in parts:
        raise _bad_connection("it names no account")
    scheme = parts.get("DefaultEndpointsProtocol", "https")
    suffix = parts.get("EndpointSuffix", "core.windows.net")
    account = parts.get("AccountName") or parts["BlobEndpoint"].split("//")[-1].split(".")[0]
    config = {
        "account_name": account,
        "endpoint": parts.get("BlobEndpoint", f"{scheme}://{account}.blob.{suffix}").rstrip("/"),
    }
    if key := parts.get("AccountKey"):
        config["account_key"] = key
    if signature := parts.get("SharedAccessSignature"):
        config["sas_key"] = signature
    return config


def _bad_connection(why: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"AZURE_STORAGE_CONNECTION_STRING cannot be read: {why}",
        hint="copy it anew from the access keys of the storage account",
    )


def _client(endpoint: str, place: str, environment: Mapping[str, str]) -> dict[str, object]:
    """How to speak with the host of a store."""
    if endpoint and not ENDPOINT.match(endpoint):
        raise ConfigInvalid(
            f"{place}: the endpoint '{endpoint[:80]}' is no address",
            hint="write it with http:// or https://, such as https://minio.plant.example:9000",
        )
    found: dict[str, object] = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=5),
        "timeout": timedelta(seconds=REQUEST_SECONDS),
    }
    for name in CERTIFICATES:
        if path := environment.get(name):
            try:
                found["root_certificate"] = Path(path).read_bytes()
            except OSError as error:
                what = f"{path}, which {name} names, cannot be read: {error.strerror}"
                raise ConfigInvalid(what, hint="name a file of certificates (PEM)") from error
            break
    return found


def _opened(
    kind: str,
    bucket: str,
    prefix: str,
    config: dict[str, str],
    client: dict[str, object],
    place: str,
) -> BucketObjects:
    try:
        stores = importlib.import_module("obstore.store")
    except ModuleNotFoundError as error:
        raise InvalidInput(
            f"{place} needs a library that is not installed: obstore",
            hint="pip install 'gemel[objects]'",
        ) from error

    def store(retries: int) -> Any:
        return getattr(stores, kind)(
            bucket,
            prefix=prefix or None,
            config=config,
            client_options=client,
            retry_config={
                "max_retries": retries,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=10),
                    "base": 2.0,
                },
            },
        )

    try:
        return BucketObjects(store(RETRIES), store(PATIENT_RETRIES), place)
    except Exception as error:
        raise worded(error, place) from error


def _place(scheme: str, bucket: str, prefix: str) -> str:
    return f"{scheme}://{bucket}/{prefix}".rstrip("/")
