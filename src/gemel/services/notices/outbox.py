"""The outbox: a notice is stored with the alarm it tells of, and kept until it is delivered.

Each notice has an id of its own that goes along with every attempt, so that a receiver who is told
twice (a crash between sending and noting it) can see that it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Document, Edit, Json
from gemel.services.alarms.states import NORMAL, RETURNED, UNACKNOWLEDGED, UNSEEN
from gemel.services.notices.policy import Notification, Receiver

KIND = "notice"
WAITING, SENT, FAILED, SKIPPED = "waiting", "sent", "failed", "skipped"
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0
OLDEST = 86_400.0
"""Seconds after which a notice that nobody takes has failed."""
KEEP = 1_000


def notice_id(alarm: Json, now: int, notification: str, step: int, receiver: str) -> str:
    text = f"{alarm['id']}\n{alarm['occurrences']}\n{now}\n{notification}\n{step}\n{receiver}"
    return "n-" + blake2b(text.encode(), digest_size=10).hexdigest()


class Outbox:
    """All notices that wait, and the latest of those that do not."""

    def __init__(self) -> None:
        self.receivers: dict[str, Receiver] = {}
        self.notifications: dict[str, Notification] = {}
        self._waiting: dict[str, Json] = {}
        self._over: dict[str, Json] = {}

    def load(self, documents: Iterable[Document]) -> None:
        for document in documents:
            self._set(document.doc)

    def find(self, state: str = "", limit: int = 200) -> list[Json]:
        """The latest notices, the newest first."""
        pool = [*self._waiting.values(), *self._over.values()]
        found = [doc for doc in pool if not state or doc["state"] == state]
        return sorted(found, key=lambda d: (d["created"], d["id"]), reverse=True)[:limit]

    def due(self, now: int) -> list[Json]:
        """What is to be sent now, the oldest first."""
        found = [doc for doc in self._waiting.values() if from_iso(doc["due"]) <= now]
        return sorted(found, key=lambda d: (d["due"], d["id"]))

    # -- planning -----------------------------------------------------------------------------

    def plan(
        self,
        before: Json | None,
        alarm: Json,
        leads: Callable[[str], set[str]],
        is_below: Callable[[str, str], bool],
        now: int,
    ) -> list[Edit]:
        """The notices of an alarm that people are told of now.

        Args:
            before: the alarm as it was.
            alarm: as it will be.
            leads: a group to its cause's and its first-out alarm.
            is_below: (twin, top) whether a twin is contained in another.
            now: when this is done.
        """
        if alarm["state"] != UNACKNOWLEDGED:
            return []
        if before is not None and before["state"] in (UNACKNOWLEDGED, RETURNED):
            return []
        is_behind = alarm["group"] is not None and alarm["id"] not in leads(alarm["group"])
        edits = []
        for one in self.notifications.values():
            if (is_behind and not one.members) or not one.matches(alarm, is_below):
                continue
            for number, step in enumerate(one.steps):
                for receiver in step.to:
                    key = notice_id(alarm, now, one.name, number, receiver)
                    doc = {
                        "id": key,
                        "alarm": alarm["id"],
                        "notification": one.name,
                        "step": number,
                        "receiver": receiver,
                        "created": to_iso(now),
                        "due": to_iso(now + round(step.after * SECOND)),
                        "state": WAITING,
                        "attempts": 0,
                        "error": "",
                        "sent": None,
                    }
                    edits.append(Edit(KIND, key, doc, now, "notify", "planned"))
        return edits

    def held(self, notice: Json, alarm: Json | None, now: int) -> Edit | None:
        """The edit with which a notice is not sent now: of no use any more, or in quiet hours."""
        if alarm is None or alarm["state"] == NORMAL:
            return self._ended(notice, SKIPPED, "the alarm is over", now)
        if notice["step"] > 0 and alarm["state"] not in UNSEEN:
            return self._ended(notice, SKIPPED, f"the alarm is {alarm['state']}", now)
        receiver = self.receivers.get(notice["receiver"])
        if receiver is None:
            return self._ended(notice, FAILED, f"no receiver '{notice['receiver']}'", now)
        until = receiver.quiet.until(alarm["priority"], now) if receiver.quiet else None
        if until is None:
            return None
        doc = {**notice, "due": to_iso(until), "error": "quiet hours"}
        return Edit(KIND, notice["id"], doc, now, "notify", "quiet hours")

    def sent(self, notice: Json, now: int) -> Edit:
        doc = {**notice, "state": SENT, "sent": to_iso(now), "error": ""}
        doc["attempts"] += 1
        return Edit(KIND, notice["id"], doc, now, "notify", "sent")

    def not_sent(self, notice: Json, problem: str, is_final: bool, now: int) -> Edit:
        """Tries again later, twice as long each time, until it is too old."""
        attempts = notice["attempts"] + 1
        is_old = now - from_iso(notice["created"]) > OLDEST * SECOND
        if is_final or is_old:
            return self._ended({**notice, "attempts": attempts}, FAILED, problem, now)
        wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
        due = to_iso(now + round(wait * SECOND))
        doc = {**notice, "attempts": attempts, "due": due, "error": problem[:500]}
        return Edit(KIND, notice["id"], doc, now, "notify", "not sent")

    @staticmethod
    def _ended(notice: Json, state: str, why: str, now: int) -> Edit:
        doc = {**notice, "state": state, "error": why[:500]}
        return Edit(KIND, notice["id"], doc, now, "notify", state)

    # -- taking in ----------------------------------------------------------------------------

    def apply(self, edits: Iterable[Edit]) -> None:
        for edit in edits:
            if edit.kind == KIND and edit.doc is not None:
                self._set(edit.doc)

    def set_policies(
        self, receivers: Mapping[str, Receiver], notifications: Mapping[str, Notification]
    ) -> None:
        self.receivers, self.notifications = dict(receivers), dict(notifications)

    def _set(self, doc: Json) -> None:
        self._waiting.pop(doc["id"], None)
        if doc["state"] == WAITING:
            self._waiting[doc["id"]] = doc
            return
        self._over.pop(doc["id"], None)
        self._over[doc["id"]] = doc
        while len(self._over) > KEEP:
            del self._over[next(iter(self._over))]
