"""How simulated devices and replay reach a server: the platform's own MQTT client."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.connect.mqtt.client import MqttClient, Will
from gemel.core.errors import ConfigInvalid
from gemel.simulate.link import Client, Connect

log = logging.getLogger(__name__)
DEFAULT_PORT = 1883
SESSION_SECONDS = 3_600
KEEP_ALIVE = 15
PATIENCE = 5.0
"""Seconds without a connection before that is worth a word."""


def parse_address(text: str) -> tuple[str, int]:
    """Reads HOST, HOST:PORT or mqtt://HOST:PORT.

    Raises:
        ConfigInvalid: it is none of these.
    """
    plain = text.strip().removeprefix("mqtt://").rstrip("/")
    host, colon, port = plain.rpartition(":")
    if not colon or plain.endswith("]"):
        host, port = plain, str(DEFAULT_PORT)
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigInvalid(f"'{text}' is not an address", hint="write it like 127.0.0.1:1883")
    return host, int(port)


def find_token(token: str | None, file: str | None) -> str:
    """The token from --token, --token-file or GEMEL_TOKEN; "" if there is none.

    Raises:
        ConfigInvalid: the file cannot be read.
    """
    if token:
        return token
    if file:
        try:
            return Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigInvalid(f"--token-file {file}: cannot be read: {error}") from error
    return os.environ.get("GEMEL_TOKEN", "")


class Outage:
    """Says once that the server cannot be reached for a while, and once that it can again."""

    def __init__(self, place: str, patience: float = PATIENCE) -> None:
        self._place = place
        self._patience = patience
        self._timer: asyncio.TimerHandle | None = None
        self._is_told = False

    def state(self, state: str, cause: str) -> None:
        """Takes the state of any of the clients that share the server."""
        if state == "disconnected" and self._timer is None and not self._is_told:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._patience, self._tell, cause)
        elif state == "connected":
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._is_told:
                self._is_told = False
                log.warning("connected to %s again", self._place)

    def _tell(self, cause: str) -> None:
        self._timer = None
        self._is_told = True
        log.warning("no connection to %s: %s; trying again", self._place, cause)


def connector(host: str, port: int, token: str, user: str = "simulator") -> Connect:
    """Makes clients for devices that share one token."""
    outage = Outage(f"{host}:{port}")

    def connect(
        client_id: str, will_topic: str, will_payload: bytes, on_message: Callable[[Any], None]
    ) -> Client:
        return MqttClient(
            host,
            port,
            client_id=client_id,
            username=user if token else "",
            password=token,
            keep_alive=KEEP_ALIVE,
            clean=False,
            session_expiry=SESSION_SECONDS,
            will=Will(will_topic, will_payload, qos=1),
            on_message=on_message,
            on_state=outage.state,
        )

    return connect


def plain_client(host: str, port: int, token: str, name: str) -> MqttClient:
    """A client for a program: a name of its own, nothing to remember after it."""
    return MqttClient(
        host,
        port,
        client_id=f"{name}-{uuid.uuid4().hex[:12]}",
        username=name if token else "",
        password=token,
        keep_alive=KEEP_ALIVE,
    )
