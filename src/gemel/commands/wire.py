"""Commands and answers as MQTT messages: topics and payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from gemel.commands.command import FAILED, SUCCEEDED, Command
from gemel.core.errors import InvalidInput

LARGEST_ANSWER = 65_536
LONGEST_MESSAGE = 1_000
HINT = 'answer {"status": "succeeded", "result": ...} or {"status": "failed", "message": "..."}'


@dataclass(frozen=True, slots=True)
class Response:
    twin: str
    id: str
    status: str
    """`succeeded` or `failed`."""
    result: Any = None
    message: str = ""


def is_level(text: str) -> bool:
    """Whether a text can stand as one level of a topic."""
    return (
        0 < len(text.encode("utf-8", "replace")) <= 256
        and text.isprintable()
        and not set("/+#") & set(text)
    )


def wire(command: Command) -> tuple[str, bytes]:
    """(topic, payload) to send."""
    return message(command.twin, command.command, command.id, command.arguments)


def message(twin: str, command: str, key: str, arguments: Any) -> tuple[str, bytes]:
    return f"devices/{twin}/commands/{command}/{key}", orjson.dumps(arguments)


def parse_response(topic: str, payload: bytes) -> Response:
    """Reads a device's answer on `devices/{twin}/responses/{id}`.

    An object with `status` is taken at its word; any other JSON, or nothing, means success.

    Raises:
        InvalidInput: another topic, no JSON, an unknown status, or too long.
    """
    levels = topic.split("/")
    if len(levels) != 4 or levels[0] != "devices" or levels[2] != "responses" or not all(levels):
        raise InvalidInput(
            f"'{topic}' is not the topic of an answer", hint="use devices/{twin}/responses/{id}"
        )
    twin, key = levels[1], levels[3]
    if len(payload) > LARGEST_ANSWER:
        raise InvalidInput(
            f"the answer to command '{key}' has {len(payload):,} bytes",
            hint=f"at most {LARGEST_ANSWER:,}",
        )
    if not payload.strip():
        return Response(twin, key, SUCCEEDED)
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"the answer to command '{key}' is not JSON: {error}", hint=HINT
        ) from error
    if not isinstance(found, dict) or "status" not in found:
        return Response(twin, key, SUCCEEDED, found)
    return _with_status(twin, key, found)


def _with_status(twin: str, key: str, found: dict[str, Any]) -> Response:
    status, message = found["status"], found.get("message")
    if not isinstance(status, str) or status.lower() not in (SUCCEEDED, FAILED):
        raise InvalidInput(
            f"the answer to command '{key}' has the unknown status {str(status)[:60]!r}", hint=HINT
        )
    if message is None:
        message = ""
    elif not isinstance(message, str):
        message = orjson.dumps(message).decode()
    return Response(twin, key, status.lower(), found.get("result"), message[:LONGEST_MESSAGE])
