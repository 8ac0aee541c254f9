"""Work orders as documents of kind `workorder`: one table of states, every step with who and when.

The done and cancelled orders of a twin, with their steps, are its maintenance record.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from gemel.core.clock import to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound

KIND = "workorder"
PROPOSED, OPEN, PLANNED, RUNNING, DONE, CANCELLED = STATES = (
    "proposed",
    "open",
    "planned",
    "in progress",
    "done",
    "cancelled",
)
ACTS = ("accept", "plan", "start", "pause", "finish", "cancel", "reopen")
TRANSITIONS: dict[tuple[str, str], str] = {
    (PROPOSED, "accept"): OPEN,
    (PROPOSED, "plan"): PLANNED,
    (PROPOSED, "cancel"): CANCELLED,
    (OPEN, "plan"): PLANNED,
    (OPEN, "start"): RUNNING,
    (OPEN, "finish"): DONE,
    (OPEN, "cancel"): CANCELLED,
    (PLANNED, "plan"): PLANNED,
    (PLANNED, "start"): RUNNING,
    (PLANNED, "cancel"): CANCELLED,
    (RUNNING, "pause"): PLANNED,
    (RUNNING, "finish"): DONE,
    (RUNNING, "cancel"): CANCELLED,
    (DONE, "reopen"): OPEN,
    (CANCELLED, "reopen"): OPEN,
}
"""(state, act) to the next state; what is not listed is refused."""
NEED_WORDS = frozenset({"finish", "cancel", "reopen"})
LONGEST_TEXT = 2_000
MOST_PARTS = 100
MOST_ITEMS = 100
PART_FIELDS = ("name", "number", "count")


class WorkBook:
    """All work orders."""

    def __init__(self) -> None:
        self._orders: dict[str, Json] = {}
        self._by_twin: dict[str, dict[str, None]] = {}

    def load(self, documents: Iterable[Document]) -> None:
        for document in documents:
            self._set(document.doc)

    def get(self, key: str) -> Json:
        """One order.

        Raises:
            NotFound: there is no such order.
        """
        found = self._orders.get(key)
        if found is None:
            raise NotFound(f"there is no work order '{key}'", hint="GET /work-orders lists them")
        return found

    def find(
        self, *, state: str = "", twin: str = "", alarm: str = "", limit: int = 1_000
    ) -> list[Json]:
        """Orders, those to be done first (the most urgent first), then the newest."""
        if state and state not in STATES:
            raise InvalidInput(f"no work order is '{state}'", hint="one of: " + ", ".join(STATES))
        keys = self._by_twin.get(twin, {}) if twin else self._orders
        found = [
            doc
            for doc in (self._orders[key] for key in keys)
            if (not state or doc["state"] == state) and (not alarm or alarm in doc["alarms"])
        ]
        found.sort(key=lambda d: (d["created"], d["id"]), reverse=True)
        found.sort(key=lambda d: (is_over(d), 0 if is_over(d) else d["priority"]))
        return found[:limit]

    # -- planning -----------------------------------------------------------------------------

    def create(
        self, body: Json, alarm: Json | None, who: str, now: int, *, is_proposed: bool = False
    ) -> list[Edit]:
        """A new order for a twin, or for an alarm and its twin.

        Raises:
            InvalidInput: it has no title or twin.
            Conflict: an order for this alarm is still to be done.
        """
        if alarm is not None:
            for other in self.find(alarm=alarm["id"]):
                if not is_over(other):
                    raise Conflict(
                        f"work order '{other['id']}' for this alarm is {other['state']}",
                        hint="add to it",
                        code="WorkOrderExists",
                    )
        twin = body.get("twin") or (alarm["twin"] if alarm else "")
        title = body.get("title") or (f"{alarm['title']}: {alarm['twinName']}" if alarm else "")
        if not title or not twin:
            raise InvalidInput("a work order needs a title and a twin", hint="or an alarm")
        priority = body.get("priority") or (alarm["priority"] if alarm else 3)
        state = PROPOSED if is_proposed else OPEN
        digest = blake2b(f"{twin}\n{title}\n{who}\n{now}".encode(), digest_size=4).hexdigest()
        key = f"w-{now // 1_000_000:011x}-{digest}"
        at = to_iso(now)
        doc: Json = {
            "id": key,
            "twin": twin,
            "title": _text(title, "title"),
            "description": _text(body.get("description", ""), "description"),
            "priority": _priority(priority),
            "state": state,
            "assignee": _text(body.get("assignee", ""), "assignee"),
            "due": body.get("due"),
            "alarms": [alarm["id"]] if alarm else [],
            "occurrence": alarm.get("occurrences", 1) if alarm else 0,
            "parts": _parts(body.get("parts", [])),
            "checklist": _checklist(body.get("checklist", []), []),
            "created": at,
            "createdBy": who,
            "finished": None,
            "steps": [_step(at, who, state if is_proposed else "created", state, "")],
        }
        return [Edit(KIND, key, doc, now, who, "work order")]

    def act(self, key: str, act: str, who: str, text: str, now: int) -> list[Edit]:
        """One step in an order's life.

        Raises:
            NotFound: there is no such order.
            InvalidInput: the act is not known, or needs words.
            Conflict: its state does not allow it.
        """
        doc = self.get(key)
        if act not in ACTS:
            raise InvalidInput(f"'{act}' is nothing that is done to work", hint=", ".join(ACTS))
        after = TRANSITIONS.get((doc["state"], act))
        if after is None:
            possible = [one for state, one in TRANSITIONS if state == doc["state"]]
            raise Conflict(
                f"work order '{key}' is {doc['state']}: '{act}' is not possible",
                hint="possible: " + ", ".join(possible),
                code="WorkOrderStateInvalid",
            )
        if act in NEED_WORDS and not text.strip():
            raise InvalidInput(
                f"to {act} a work order needs a note",
                hint="what was done, or why" if act == "finish" else "why",
            )
        at = to_iso(now)
        changed = {
            **doc,
            "state": after,
            "finished": at if after in (DONE, CANCELLED) else None,
            "steps": [*doc["steps"], _step(at, who, act, after, _text(text, "note"))],
        }
        return [Edit(KIND, key, changed, now, who, act)]

    def change(self, key: str, body: Json, who: str, now: int) -> list[Edit]:
        """Assigns, adds parts, notes, a due date; each is a step of the order.

        Raises:
            NotFound: there is no such order.
            InvalidInput: a field is not of its form.
        """
        doc = self.get(key)
        said = _text(body.get("note", ""), "note")
        fields: dict[str, Any] = {}
        for name in ("assignee", "description", "title"):
            if name in body:
                fields[name] = _text(body[name], name)
        if "parts" in body:
            fields["parts"] = _parts(body["parts"])
        if "priority" in body:
            fields["priority"] = _priority(body["priority"])
        if "due" in body:
            fields["due"] = body["due"]
        if "checklist" in body:
            fields["checklist"] = _checklist(body["checklist"], doc.get("checklist", []))
        if "check" in body:
            ticked = _ticked(doc, body["check"], who, to_iso(now))
            if ticked is None and not fields and not said:
                return [Edit(KIND, key, doc, now, who, "checked already")]
            fields |= {} if ticked is None else {"checklist": ticked}
        if not fields and not said:
            raise InvalidInput("nothing is changed", hint='like {"note": "..."}')
        what = ", ".join(f"{name} changed" for name in fields) or "note"
        at = to_iso(now)
        step = _step(at, who, what, doc["state"], said)
        changed = {**doc, **fields, "steps": [*doc["steps"], step]}
        return [Edit(KIND, key, changed, now, who, what)]

    def follow(self, alarm: Json, now: int) -> list[Edit]:
        """What a change of an alarm does to work: a service proposes it, and takes it back.

        A proposal that nobody has answered ends with its alarm; what people took up does not.
        """
        mine = self.find(alarm=alarm["id"])
        work = (alarm.get("details") or {}).get("work")
        if alarm["stands"]:
            occurrence = alarm.get("occurrences", 1)
            if not work or any(
                not is_over(order) or order.get("occurrence", 1) >= occurrence for order in mine
            ):
                return []
            fields = ("title", "description", "parts", "due", "assignee", "priority")
            body = {name: work[name] for name in fields if work.get(name)}
            return self.create(body, alarm, alarm["rule"], now, is_proposed=True)
        return [
            edit
            for order in mine
            if order["state"] == PROPOSED
            for edit in self.act(order["id"], "cancel", alarm["rule"], "its alarm is over", now)
        ]

    # -- taking in ----------------------------------------------------------------------------

    def apply(self, edits: Iterable[Edit]) -> None:
        for edit in edits:
            if edit.kind == KIND and edit.doc is not None:
                self._set(edit.doc)

    def _set(self, doc: Json) -> None:
        self._orders[doc["id"]] = doc
        self._by_twin.setdefault(doc["twin"], {})[doc["id"]] = None


def is_over(doc: Json) -> bool:
    return doc["state"] in (DONE, CANCELLED)


def _checklist(found: object, before: list[Json]) -> list[Json]:
    """Items to tick off; those of before keep their ticks."""
    if not isinstance(found, list) or len(found) > MOST_ITEMS:
        raise InvalidInput(
            f"'checklist' must be a list of at most {MOST_ITEMS} texts", hint='["lock it out"]'
        )
    ticks = {one["item"]: one for one in before}
    items = [_text(one, "checklist") for one in found]
    if not all(items) or len(set(items)) < len(items):
        raise InvalidInput("each item of a checklist is a text of its own", hint="none empty")
    return [ticks.get(one, {"item": one, "done": None, "by": ""}) for one in items]


def _ticked(doc: Json, check: object, who: str, at: str) -> list[Json] | None:
    """The checklist with one item ticked or not; None where it is so already."""
    item = check.get("item") if isinstance(check, dict) else None
    done = check.get("done") if isinstance(check, dict) else None
    if not isinstance(item, str) or not isinstance(done, bool):
        raise InvalidInput("'check' names an item and whether it is done", hint='{"item", "done"}')
    found: list[Json] = doc.get("checklist", [])
    old = next((one for one in found if one["item"] == item), None)
    if old is None:
        raise NotFound(f"the checklist has no '{item[:80]}'", hint="see the order's checklist")
    if (old["done"] is not None) == done:
        return None
    new = {"item": item, "done": at if done else None, "by": who if done else ""}
    return [new if one is old else one for one in found]


def _step(at: str, who: str, what: str, state: str, note: str) -> Json:
    return {"time": at, "who": who, "what": what, "state": state, "note": note}


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise InvalidInput(f"'{name}' must be a text of at most {LONGEST_TEXT:,} characters")
    return value.strip()


def _priority(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 4:
        raise InvalidInput(
            f"priority {value!r} is not known", hint="1 is the highest, 4 the lowest"
        )
    return value


def _parts(found: object) -> list[Json]:
    hint = 'like [{"name": "bearing", "number": "6205", "count": 2}]'
    if not isinstance(found, list) or len(found) > MOST_PARTS:
        raise InvalidInput(f"'parts' must be a list of at most {MOST_PARTS}", hint=hint)
    parts = []
    for one in found:
        if not isinstance(one, dict) or set(one) - set(PART_FIELDS) or not one.get("name"):
            raise InvalidInput("a part has a name, a number and a count", hint=hint)
        count = one.get("count", 1)
        is_number = isinstance(count, int | float) and not isinstance(count, bool)
        if not is_number or not 0 < count < 1e9:
            raise InvalidInput("'count' of a part must be more than 0", hint=hint)
        name, number = _text(one["name"], "name"), _text(one.get("number", ""), "number")
        parts.append({"name": name, "number": number, "count": count})
    return parts
