"""What is answered about commands, their guards and the kill switch."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from gemel.api.answers.schema import Value


class KillSwitch(TypedDict):
    engaged: bool
    who: str
    since: str | None
    reason: str


class Approval(TypedDict):
    needed: int
    role: str
    until: str
    by: list[str]
    takenBy: str


class Confirmation(TypedDict):
    property: str
    asked: Value
    tolerance: float
    within: Annotated[float, "Seconds after the device said that it succeeded."]
    until: str | None
    seen: Value
    seenTime: str | None


class CommandStep(TypedDict):
    state: str
    time: str
    who: str
    note: str


class Command(TypedDict):
    id: str
    twin: str
    command: str
    arguments: Value
    state: str
    who: str
    requested: str
    deadline: str | None
    number: int
    result: Value
    message: str
    service: Annotated[str, "The rule or service that asked by itself."]
    hash: str
    isOver: bool
    approval: Approval | None
    confirm: Confirmation | None
    steps: list[CommandStep]


class Verdict(TypedDict):
    guard: str
    answer: Literal["pass", "refuse", "wait"]
    said: str
    hint: str


class DryRun(TypedDict):
    """What every guard answers to a command that is not asked for yet."""

    dryRun: bool
    twin: str
    command: str
    arguments: Value
    wouldBe: str
    guards: list[Verdict]
    topic: str
    payload: str
    deadline: str
    confirm: Confirmation | None
    deviceIsThere: bool
