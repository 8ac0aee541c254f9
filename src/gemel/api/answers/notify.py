"""What is answered about who is told of alarms, and what was told."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

Quiet = TypedDict(
    "Quiet",
    {
        "from": str,
        "to": str,
        "timeZone": NotRequired[str],
        "priorities": NotRequired[list[int]],
    },
)


class Receiver(TypedDict):
    id: str
    kind: Literal["email", "webhook", "mqtt"]
    to: NotRequired[str | list[str]]
    url: NotRequired[str]
    topic: NotRequired[str]
    quiet: NotRequired[Quiet | None]
    hasSecret: bool


class NotificationStep(TypedDict):
    after: NotRequired[Annotated[float, "Seconds for which nobody has acknowledged."]]
    to: list[str]


class Notification(TypedDict):
    """Who is told of which alarms."""

    id: str
    priorities: NotRequired[list[int]]
    rules: NotRequired[list[str]]
    classes: NotRequired[list[str]]
    subtree: NotRequired[str]
    members: NotRequired[Annotated[bool, "Also of alarms that follow from another."]]
    steps: list[NotificationStep]


class Notice(TypedDict):
    id: str
    alarm: str
    notification: str
    step: int
    receiver: str
    created: str
    due: str
    state: Literal["waiting", "sent", "failed", "skipped"]
    attempts: int
    error: str
    sent: str | None
