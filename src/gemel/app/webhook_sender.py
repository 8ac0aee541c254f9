"""Sends events to a webhook one by one, after it has agreed where it is to be asked.

Two ways to be asked, both before the first event of each start: Event Grid sends a code that is to
come back, CloudEvents asks with OPTIONS whether we may send.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import orjson

from gemel.app import webhooks
from gemel.app.endpoint_settings import EVENT_GRID, WebhookEndpoint
from gemel.core.clock import SECOND, Clock, to_iso
from gemel.core.cloud_event import TAKEN, WHOLE, CloudEvent, Fate, not_now, refused
from gemel.core.document import Json
from gemel.core.errors import GemelError, InvalidInput, Refused, Unavailable

OLDEST_SECONDS = 86_400
"""Events that could not be delivered for so long are dropped."""
LONGEST_PAUSE = 3_600.0
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
GRID_VERSION = {"dataVersion": "1.0", "metadataVersion": "1"}


class WebhookSender:
    """Implements `core.ports.EventSender`.

    Args:
        endpoint: where to, and in which form.
        allow_private: whether addresses that are not public may be used.
        clock: wall clock in ns.
    """

    most = 1

    def __init__(self, endpoint: WebhookEndpoint, allow_private: bool, clock: Clock) -> None:
        self._endpoint = endpoint
        self._target = webhooks.read_url(endpoint.url)
        self._allow_private = allow_private
        self._clock = clock
        self._has_agreed = not (endpoint.origin or endpoint.schema == EVENT_GRID)
        self._spacing = 0.0
        """Seconds between two events that the webhook asked for."""
        self._next = 0.0

    async def send(self, events: Sequence[CloudEvent]) -> list[Fate]:
        """Sends until one is not taken now: the others come again, behind it."""
        found: list[Fate] = []
        for event in events:
            fate = await self._send(event)
            found.append(fate)
            if not fate.is_settled:
                found += [fate] * (len(events) - len(found))
                break
        return found

    async def _send(self, event: CloudEvent) -> Fate:
        fate = await self._attempt(event)
        age = self._clock() - event.time
        if not fate.is_settled and age > OLDEST_SECONDS * SECOND:
            return refused(f"not taken for a day: {fate.why}")
        return fate

    async def _attempt(self, event: CloudEvent) -> Fate:
        try:
            if not self._has_agreed:
                await self.agree()
            await self._keep_pace()
            headers, body = self._message(event)
            answer = await self._ask("POST", headers, body)
        except GemelError as error:
            return not_now(error.message)
        if 200 <= answer.status < 300:
            return TAKEN
        why = f"the endpoint answered {answer.status}"
        if answer.status in webhooks.FINAL:
            return refused(why)
        return not_now(why, _seconds(answer.headers.get("retry-after", "")))

    async def _ask(
        self, method: str, headers: dict[str, str], body: bytes = b"", *, reads: bool = False
    ) -> webhooks.Answer:
        given = self._endpoint.authorization
        more = {"Authorization": given} if given else {}
        return await webhooks.ask(
            self._target, method, self._allow_private, {**headers, **more}, body, reads=reads
        )

    def _message(self, event: CloudEvent) -> tuple[dict[str, str], bytes]:
        if self._endpoint.schema == EVENT_GRID:
            headers = {"Content-Type": "application/json", "aeg-event-type": "Notification"}
            return headers, orjson.dumps([grid_event(event)])
        headers = {"Content-Type": WHOLE}
        if self._endpoint.origin:
            headers["WebHook-Request-Origin"] = self._endpoint.origin
        return headers, event.structured()

    async def _keep_pace(self) -> None:
        if self._spacing:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(self._next - loop.time())
            self._next = max(self._next, loop.time()) + self._spacing

    async def close(self) -> None:
        """There is nothing that stays open."""

    # ---- asking first ----------------------------------------------------------------------

    async def reach(self) -> None:
        """Looks at the address, and asks the webhook; one that is not there now may be later.

        Raises:
            InvalidInput: the address is not public, or the webhook does not agree.
        """
        try:
            async with asyncio.timeout(webhooks.SECONDS):
                await webhooks.resolve(self._target, self._allow_private)
            await self.agree()
        except (Unavailable, TimeoutError):
            return
        except Refused as error:
            raise InvalidInput(error.message, hint=error.hint, code=error.code) from None

    async def agree(self) -> None:
        """Asks the webhook, if it is to be asked, whether events may come.

        Raises:
            InvalidInput: it answers, and does not agree.
            Unavailable: it cannot be reached.
        """
        if self._endpoint.schema == EVENT_GRID:
            await self._agree_by_code()
        elif self._endpoint.origin:
            await self._agree_by_origin(self._endpoint.origin)
        self._has_agreed = True

    async def _agree_by_code(self) -> None:
        """Source: Azure Event Grid, endpoint validation with its event schema."""
        code = secrets.token_urlsafe(24)
        event = {
            "id": secrets.token_hex(16),
            "topic": self._endpoint.origin or "gemel",
            "subject": "",
            "eventType": VALIDATION,
            "eventTime": to_iso(self._clock()),
            "data": {"validationCode": code},
            **GRID_VERSION,
        }
        headers = {
            "Content-Type": "application/json",
            "aeg-event-type": "SubscriptionValidation",
        }
        answer = await self._ask("POST", headers, orjson.dumps([event]), reads=True)
        _require_answer(answer)
        try:
            found = orjson.loads(bytes(answer.body))
        except orjson.JSONDecodeError:
            found = None
        if answer.status != 200 or not isinstance(found, dict):
            found = {}
        if found.get("validationResponse") != code:
            raise InvalidInput(
                f"the endpoint does not agree to events: it answered {answer.status} without the"
                " code that was sent",
                hint='answer a SubscriptionValidationEvent with 200 {"validationResponse": CODE}',
                code="EndpointInvalid",
            )

    async def _agree_by_origin(self, origin: str) -> None:
        """Source: CloudEvents, HTTP 1.1 Web Hooks 1.0.2, 4 (abuse protection)."""
        answer = await self._ask("OPTIONS", {"WebHook-Request-Origin": origin})
        _require_answer(answer)
        allowed = answer.headers.get("webhook-allowed-origin", "")
        if allowed != "*" and allowed.lower() != origin.lower():
            raise InvalidInput(
                f"the endpoint does not agree to events of '{origin}': it answered"
                f" {answer.status}, WebHook-Allowed-Origin is '{allowed[:100]}'",
                hint="answer OPTIONS with WebHook-Allowed-Origin: * or this origin",
                code="EndpointInvalid",
            )
        rate = answer.headers.get("webhook-allowed-rate", "*")
        if rate.isascii() and rate.isdigit() and len(rate) < 10 and int(rate):
            self._spacing = 60.0 / int(rate)


def _require_answer(answer: webhooks.Answer) -> None:
    if answer.status in (408, 429) or answer.status >= 500:
        raise Unavailable(f"the endpoint answered {answer.status} when it was asked to agree")


def grid_event(event: CloudEvent) -> Json:
    """An event in Event Grid's own schema."""
    attributes = event.attributes
    return {
        "id": attributes["id"],
        "topic": attributes["source"],
        "subject": attributes["subject"],
        "eventType": attributes["type"],
        "eventTime": attributes["time"],
        "data": orjson.Fragment(event.data),
        **GRID_VERSION,
    }


def _seconds(text: str) -> float:
    """The pause of a Retry-After header; 0 for one that names a date, or none."""
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return min(float(text), LONGEST_PAUSE) if is_number else 0.0
