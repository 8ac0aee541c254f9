"""Tells people and programs of alarms: the outbox joined to mail, webhooks and MQTT."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson

from gemel.app import webhooks
from gemel.app.mail import make_mail, send_mail
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import (
    ConfigInvalid,
    GemelError,
    InvalidInput,
    NotFound,
    Refused,
    Unavailable,
)
from gemel.services.notices.outbox import KIND, Outbox
from gemel.services.notices.policy import (
    Notification,
    Receiver,
    names_in,
    read_notification,
    read_receiver,
)
from gemel.twins.graph import EditContext, Graph
from gemel.twins.validate import check_id

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.notify")
AT_ONCE = 8
MOST_DUE = 200
CONTAINS = ("contains",)


class Notify:
    """Receivers, notifications, and the sending of notices."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.outbox = Outbox()
        self._under_way: set[str] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    # ---- following -----------------------------------------------------------------------

    def load(self) -> None:
        self.outbox.load(self._platform.documents.load(KIND))
        self._set_policies()

    def apply(self, edits: Iterable[Edit]) -> None:
        """Takes committed edits in."""
        edits = list(edits)
        if any(edit.kind in ("receiver", "notification") for edit in edits):
            self._set_policies()
        self.outbox.apply(edits)
        if any(edit.kind == KIND for edit in edits):
            self.send_due()

    def _set_policies(self) -> None:
        plain = self._platform.catalogue.plain
        receivers: dict[str, Receiver] = {}
        notifications: dict[str, Notification] = {}
        for key, doc in plain["receiver"].items():
            receivers[key] = read_receiver(key, doc)
        for key, doc in plain["notification"].items():
            notifications[key] = read_notification(key, doc)
        self.outbox.set_policies(receivers, notifications)

    def plan(self, edits: list[Edit], now: int) -> list[Edit]:
        """The notices that follow from edits of alarms, to be committed with them."""
        if not self.outbox.notifications:
            return []
        book = self._platform.reactions.alarms
        leads = {e.key: e.doc for e in edits if e.kind == "alarmgroup" and e.doc is not None}

        def lead(group: str) -> set[str]:
            doc = leads.get(group) or self._platform.reactions.desk.groups.get(group)
            return {doc["firstOut"], doc["causeAlarm"] or ""}

        found: list[Edit] = []
        for edit in edits:
            if edit.kind == "alarm" and edit.doc is not None:
                before = book.find_live(edit.key)
                found += self.outbox.plan(before, edit.doc, lead, self._is_below, now)
        return found

    def _is_below(self, twin: str, top: str) -> bool:
        around = self._platform.reactions.around
        return twin == top or top in around.relatives(twin, CONTAINS, "in", 32)

    # ---- sending -------------------------------------------------------------------------

    def tick(self) -> None:
        self.send_due()

    def send_due(self) -> None:
        """Starts sending what is due."""
        now = self._platform.clock()
        for notice in self.outbox.due(now)[:MOST_DUE]:
            if notice["id"] not in self._under_way:
                self._under_way.add(notice["id"])
                self._platform.start_task(self._send(notice))

    async def _send(self, notice: Json) -> None:
        try:
            async with self._room:
                edit = await self._attempt(notice)
            await self._platform.edit(lambda _, __: ([edit], None), "notify")
        finally:
            self._under_way.discard(notice["id"])

    async def _attempt(self, notice: Json) -> Edit:
        clock = self._platform.clock
        try:
            alarm = self._platform.reactions.alarms.get(notice["alarm"])
        except NotFound:
            alarm = None
        held = self.outbox.held(notice, alarm, clock())
        if held is not None or alarm is None:
            assert held is not None
            return held
        receiver = self.outbox.receivers[notice["receiver"]]
        try:
            await self._deliver(receiver, notice["id"], alarm, notice["step"])
        except GemelError as error:
            is_final = isinstance(error, Refused)
            log.warning("notice %s to '%s': %s", notice["id"], receiver.name, error.message)
            return self.outbox.not_sent(notice, error.message, is_final, clock())
        return self.outbox.sent(notice, clock())

    async def _deliver(self, receiver: Receiver, key: str, alarm: Json, step: int) -> None:
        body = {"id": key, "event": "alarm", "step": step, "alarm": alarm}
        if receiver.kind == "email":
            subject, text = _words(alarm, step)
            config = self._platform.config
            mail = make_mail(config, key, receiver.to, subject, text)
            await asyncio.get_running_loop().run_in_executor(None, send_mail, config, mail)
        elif receiver.kind == "mqtt":
            self._platform.publish(receiver.topic, orjson.dumps(body), False)
        else:
            await self._post(receiver, key, orjson.dumps(body))

    async def _post(self, receiver: Receiver, key: str, body: bytes) -> None:
        private = self._platform.config.webhook_private
        headers = signed(receiver.secret, key, self._platform.clock() // SECOND, body)
        target = webhooks.read_url(receiver.url)
        status = await webhooks.send(target, body, private, headers=headers)
        if 200 <= status < 300:
            return
        problem = f"the webhook answered {status}"
        raise (Refused if status in webhooks.FINAL else Unavailable)(problem)

    # ---- what people ask -----------------------------------------------------------------

    async def test(self, name: str) -> Json:
        """Sends a message to a receiver at once, and says how that went.

        Raises:
            NotFound: there is no such receiver.
            Unavailable: it could not be reached.
            Refused: it will not take it.
        """
        receiver = self.outbox.receivers.get(name)
        if receiver is None:
            raise NotFound(f"there is no receiver '{name}'", hint="GET /receivers lists them")
        now = self._platform.clock()
        alarm = {
            "id": "a-test",
            "twin": "test",
            "twinName": "Test",
            "title": "Test message of Gemel",
            "priority": 4,
            "state": "unacknowledged",
            "raised": to_iso(now),
        }
        try:
            await self._deliver(receiver, f"n-test-{now}", alarm, 0)
        except ConfigInvalid as error:
            raise Unavailable(error.message, hint=error.hint) from None
        return {"receiver": name, "sent": to_iso(now)}

    def receiver_views(self) -> list[Json]:
        """All receivers, without their secrets."""
        found = self._platform.catalogue.plain["receiver"]
        return [
            {"id": key, **{k: v for k, v in doc.items() if k != "secret"}}
            | {"hasSecret": bool(doc.get("secret"))}
            for key, doc in sorted(found.items())
        ]

    async def put_receiver(self, key: str, body: Json, who: str) -> Json:
        """Makes or replaces a receiver; without a `secret` it keeps the one it has.

        Raises:
            InvalidInput: names the field; a webhook's address may not be allowed.
        """
        check_id(key, "receiver")
        doc = self.checked_receiver(key, body)
        if doc["kind"] == "webhook":
            await self._check_address(key, doc)
        await self._platform.put("receiver", key, doc, who, f"receiver {key}")
        return next(view for view in self.receiver_views() if view["id"] == key)

    def checked_receiver(self, key: str, body: Json) -> Json:
        """A receiver's document, with the secret that it has if none is given."""
        old = self._platform.catalogue.plain["receiver"].get(key, {})
        doc = {k: v for k, v in body.items() if k not in ("id", "hasSecret")}
        if doc.get("kind") == "webhook" and "secret" not in doc and "secret" in old:
            doc["secret"] = old["secret"]
        receiver = read_receiver(key, doc)
        if receiver.kind == "webhook":
            webhooks.read_url(receiver.url)
        return doc

    async def _check_address(self, key: str, doc: Json) -> None:
        try:
            async with asyncio.timeout(webhooks.SECONDS):
                target = webhooks.read_url(doc["url"])
                await webhooks.resolve(target, self._platform.config.webhook_private)
        except (Unavailable, TimeoutError):
            pass  # a name that is not known yet may be later
        except Refused as error:
            raise InvalidInput(
                f"receiver '{key}': {error.message}", hint=error.hint, code=error.code
            ) from None

    async def put_notification(self, key: str, body: Json, who: str) -> Json:
        """Makes or replaces a notification.

        Raises:
            InvalidInput: names the field, or the receiver that is not there.
        """
        check_id(key, "notification")
        doc = {k: v for k, v in body.items() if k != "id"}
        known = set(self._platform.catalogue.plain["receiver"])
        check_receivers(read_notification(key, doc), known)
        await self._platform.put("notification", key, doc, who, f"notification {key}")
        return {"id": key, **doc}

    async def delete(self, kind: str, key: str, who: str) -> None:
        """Deletes a receiver or a notification.

        Raises:
            NotFound: there is none of this id.
            InvalidInput: a notification leads to the receiver.
        """
        if key not in self._platform.catalogue.plain[kind]:
            raise NotFound(f"there is no {kind} '{key}'", hint=f"GET /{kind}s lists them")

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            users = [
                name
                for name, one in self.outbox.notifications.items()
                if kind == "receiver" and key in names_in(one)
            ]
            if users:
                raise InvalidInput(
                    f"notification '{users[0]}' leads to receiver '{key}'", hint="change it first"
                )
            return [context.edit(kind, key, None)], None

        await self._platform.edit(plan, who, f"{kind} {key}")


def check_receivers(notification: Notification, known: set[str]) -> None:
    """Raises InvalidInput where a notification leads to a receiver that is not there."""
    for name in names_in(notification):
        if name not in known:
            raise InvalidInput(
                f"notification '{notification.name}': there is no receiver '{name}'",
                hint="known: " + (", ".join(sorted(known)) or "none yet"),
            )


def signed(secret: str, key: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of a webhook: its id for repeats, its time, and a signature over all three.

    Source: Standard Webhooks, signature scheme v1 (HMAC-SHA256).
    """
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "Webhook-Id": key,
        "Webhook-Timestamp": str(seconds),
    }
    if secret:
        content = f"{key}.{seconds}.".encode() + body
        digest = hmac.new(secret.encode(), content, hashlib.sha256).digest()
        headers["Webhook-Signature"] = "v1," + base64.b64encode(digest).decode()
    return headers


def _words(alarm: Json, step: int) -> tuple[str, str]:
    """Subject and text of a mail."""
    again = "" if step == 0 else "not acknowledged: "
    subject = f"[P{alarm['priority']}] {again}{alarm['twinName']}: {alarm['title']}"
    lines = [f"{alarm['twinName']} ({alarm['twin']}): {alarm['title']}", ""]
    for name, title in (
        ("priority", "Priority"),
        ("state", "State"),
        ("raised", "Raised"),
        ("condition", "Condition"),
        ("value", "Value"),
        ("unit", "Unit"),
        ("cause", "Cause"),
        ("consequence", "Consequence"),
        ("response", "Response"),
        ("id", "Alarm"),
    ):
        if alarm.get(name) not in (None, ""):
            lines.append(f"{title}: {alarm[name]}")
    return subject, "\n".join(lines) + "\n"
