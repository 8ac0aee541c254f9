"""A session at a server: channel, security, log-in; taken up again where the server still has it.

Source: OPC UA 1.05 part 4, 6.7 (re-establishing connections).
"""

from __future__ import annotations

import asyncio
from typing import Any

from asyncua import Client, ua
from asyncua.crypto import security_policies
from asyncua.crypto.uacrypto import CertProperties

from gemel.connect.opcua.identity import Identity, fingerprint, identity, length_of
from gemel.connect.opcua.settings import LinkSettings
from gemel.core.clock import Clock
from gemel.core.errors import GemelError, Refused, Unavailable

PATIENCE = 10.0
"""Seconds that a server may take to answer."""
KEPT = 600.0
"""Seconds that a session and its subscriptions may outlive their connection."""
LARGEST = 64 << 20
"""Bytes of a message that we take."""
RENEW_AT = 0.75
MODES = {
    "sign": ua.MessageSecurityMode.Sign,
    "sign-and-encrypt": ua.MessageSecurityMode.SignAndEncrypt,
}
WHY = {
    "BadIdentityTokenRejected": "the server does not take this user name and password",
    "BadUserAccessDenied": "the server does not let this user in",
    "BadIdentityTokenInvalid": "the server does not take this way to log in",
    "BadTooManySessions": "the server has as many sessions as it takes",
    "BadTcpEndpointUrlInvalid": "the server knows no such address: see its endpoint URL",
    "BadSecurityPolicyRejected": "the server does not take this security",
}
UNTRUSTED = {
    "BadSecurityChecksFailed",
    "BadCertificateUntrusted",
    "BadCertificateInvalid",
    "BadCertificateChainIncomplete",
    "BadCertificateUriInvalid",
}


class Session:
    """One session; `service` is what asks for services of the server."""

    def __init__(self, settings: LinkSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client: Client | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def service(self) -> Any:
        assert self._client is not None
        return self._client.uaclient.session

    async def open(self) -> bool:
        """Connects and logs in.

        Returns:
            Whether the session is the one that was open before.

        Raises:
            GemelError: it cannot be opened, and why.
        """
        try:
            async with asyncio.timeout(3 * PATIENCE):
                return await self._open()
        except GemelError:
            raise
        except Exception as error:
            self.drop(forget=not isinstance(error, OSError))
            raise Unavailable(self._why(error)) from error

    async def _open(self) -> bool:
        old = self._client
        if old is not None and old.uaclient.has_session and await self._resume(old):
            return True
        self._client = client = await self._made()
        await _channel(client)
        await client.create_session()
        await self._log_in(client)
        self._keep_channel(client)
        return False

    async def _resume(self, client: Client) -> bool:
        """Whether the server still has the session, on a new channel."""
        await _channel(client)
        client.uaclient.session.rebind_authentication_token()
        try:
            await self._log_in(client)
        except ua.UaError:
            client.disconnect_socket()
            return False
        self._keep_channel(client)
        return True

    async def _log_in(self, client: Client) -> None:
        await client.activate_session(self._settings.username or None, self._settings.password)

    async def _made(self) -> Client:
        settings = self._settings
        client = Client(settings.opcua, timeout=PATIENCE)
        client.name = client.description = f"Gemel {settings.name}"
        client.session_timeout = round(KEPT * 1000)
        client.max_messagesize = LARGEST
        if settings.security != "none":
            own = await asyncio.to_thread(identity, settings.folder, self._clock())
            await self._secure(client, own)
        return client

    async def _secure(self, client: Client, own: Identity) -> None:
        """Takes the policy, if the server's certificate is the one that is trusted.

        Raises:
            Refused: it is another, or the server does not offer this security.
        """
        settings = self._settings
        policy = getattr(security_policies, f"SecurityPolicy{settings.security}")
        mode = MODES[settings.mode]
        offered = await client.connect_and_get_server_endpoints()
        try:
            found = Client.find_endpoint(offered, mode, policy.URI)
        except ua.UaError as error:
            raise Refused(
                f"the server does not offer {settings.security} with {settings.mode}",
                hint="it offers: " + ", ".join(sorted({_words(one) for one in offered})),
            ) from error
        certificate = found.ServerCertificate or b""
        _check_trust(certificate, settings)
        client.application_uri = own.uri
        await client.set_security(
            policy,
            str(own.certificate),
            str(own.key),
            server_certificate=CertProperties(certificate[: length_of(certificate)], "der"),
            mode=mode,
        )

    def _keep_channel(self, client: Client) -> None:
        self._stop_renewal()
        self._renewal = asyncio.get_running_loop().create_task(_renew(client))

    def _stop_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None

    def drop(self, *, forget: bool) -> None:
        """Ends the connection; the session too is given up if it is to be forgotten."""
        self._stop_renewal()
        if self._client is not None:
            self._client.disconnect_socket()
            if forget:
                self._client = None

    async def close(self) -> None:
        """Says goodbye, if the server listens."""
        self._stop_renewal()
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with asyncio.timeout(2):
                await client.uaclient.close_session(True)
                await client.close_secure_channel()
        except Exception:  # noqa: BLE001 - it is gone, or does not answer: that is an end too
            pass
        client.disconnect_socket()

    def _why(self, error: Exception) -> str:
        name = type(error).__name__
        if isinstance(error, TimeoutError | asyncio.TimeoutError):
            return f"{self._settings.opcua} does not answer"
        if isinstance(error, ua.UaError):
            if name in UNTRUSTED and self._settings.security != "none":
                file = self._settings.folder / "certificate.der"
                return f"the server does not trust our certificate: trust {file} there ({name})"
            return f"{WHY.get(name, 'the server refuses')} ({name})"
        return f"{self._settings.opcua} cannot be reached: {error}"


async def _channel(client: Client) -> None:
    """Connects and opens a channel; leaves nothing open if that fails."""
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
    except BaseException:
        client.disconnect_socket()
        raise


async def _renew(client: Client) -> None:
    """Renews the channel's keys in time; where that fails the connection ends, and is made anew."""
    while True:
        await asyncio.sleep(client.secure_channel_timeout / 1000 * RENEW_AT)
        try:
            await client.open_secure_channel(renew=True)
            client.uaclient.revolve_security_token()
        except Exception:  # noqa: BLE001 - whatever it was, a new connection is the way out
            client.disconnect_socket()
            return


def _words(endpoint: ua.EndpointDescription) -> str:
    policy = str(endpoint.SecurityPolicyUri).rpartition("#")[2]
    return "none" if policy == "None" else f"{policy} {endpoint.SecurityMode.name}"


def _check_trust(certificate: bytes, settings: LinkSettings) -> None:
    try:
        shown = fingerprint(certificate)
    except ValueError as error:
        raise Refused("the server shows no certificate", hint="its administrator knows") from error
    if shown != settings.trust.upper():
        what = "is not trusted yet" if not settings.trust else "is another than the trusted one"
        raise Refused(
            f"the server's certificate {what}: its SHA-256 is {shown}",
            hint="compare it with what the server's own tools show, and set 'trust' to it",
        )
