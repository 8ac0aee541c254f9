"""What the tests of the Azure SDK use of Microsoft's own test machinery, against a real server.

The server is that of AZURE_DIGITALTWINS_URL, the token that of ADT_TOKEN.
"""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy


class Credential:
    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(os.environ["ADT_TOKEN"], int(time.time()) + 3600)


class AsyncCredential:
    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return Credential().get_token()

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> AsyncCredential:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass


class PlainBearer(SansIOHTTPPolicy):  # type: ignore[type-arg,misc]
    """The SDK sends its token over https only; the tests run over http too."""

    def on_request(self, request: Any) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {os.environ['ADT_TOKEN']}"


class AzureRecordedTestCase:
    is_live = False

    def get_credential(self, client: type, is_async: bool = False, **options: Any) -> Any:
        return AsyncCredential() if is_async else Credential()

    def create_client_from_credential(self, client: type, credential: Any, **options: Any) -> Any:
        endpoint = options.pop("endpoint")
        options.setdefault("retry_total", 0)
        if endpoint.startswith("http://"):
            options["authentication_policy"] = PlainBearer()
        return client(endpoint, credential, **options)

    def create_random_name(self, prefix: str) -> str:
        return prefix + uuid.uuid4().hex[:8]
