"""The loss report: what a conversion dropped, changed or approximated, where and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from gemel.core.document import Json
from gemel.core.errors import InvalidInput

DROPPED, CHANGED, APPROXIMATED = "dropped", "changed", "approximated"
KINDS = {
    DROPPED: "not in the result at all",
    CHANGED: "in the result under another name or in another form",
    APPROXIMATED: "in the result with less detail",
}
MOST_EXAMPLES = 3
MOST_LISTED = 1_000


@dataclass(slots=True)
class Loss:
    """One kind of loss; many twins of a model share it."""

    kind: str
    place: str
    """Path in the source: `MODEL: telemetry.flow`, or in a foreign document."""
    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    """Some of what it happened to, such as twins."""

    def view(self) -> Json:
        return {
            "kind": self.kind,
            "place": self.place,
            "reason": self.reason,
            "count": self.count,
            "examples": self.examples,
        }

    def words(self) -> str:
        of = f" ({self.count} times, such as {', '.join(self.examples)})" if self.examples else ""
        return f"{self.kind}: {self.place}: {self.reason}{of}"


class Losses:
    """Collects what one conversion loses.

    Args:
        format: the foreign form, such as `aas`.
        direction: `export` or `import`.
    """

    def __init__(self, format: str, direction: str) -> None:
        self.format = format
        self.direction = direction
        self._found: dict[tuple[str, str, str], Loss] = {}

    def dropped(self, place: str, reason: str, example: str = "") -> None:
        self._add(DROPPED, place, reason, example)

    def changed(self, place: str, reason: str, example: str = "") -> None:
        self._add(CHANGED, place, reason, example)

    def approximated(self, place: str, reason: str, example: str = "") -> None:
        self._add(APPROXIMATED, place, reason, example)

    def _add(self, kind: str, place: str, reason: str, example: str) -> None:
        loss = self._found.setdefault((kind, place, reason), Loss(kind, place, reason))
        loss.count += 1
        if example and len(loss.examples) < MOST_EXAMPLES and example not in loss.examples:
            loss.examples.append(example)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def losses(self) -> list[Loss]:
        return list(self._found.values())

    def view(self) -> Json:
        """For programs; the `text` is for people, read line by line."""
        found = self.losses
        counts = {kind: sum(one.kind == kind for one in found) for kind in KINDS}
        return {
            "format": self.format,
            "direction": self.direction,
            "isLossless": not found,
            "counts": counts,
            "losses": [one.view() for one in found[:MOST_LISTED]],
            "text": self.words(),
        }

    def words(self) -> str:
        found = self.losses
        if not found:
            return f"The {self.direction} ({self.format}) lost nothing."
        lines = [f"The {self.direction} ({self.format}) lost {len(found)} things:"]
        return "\n".join(lines + [f"- {one.words()}" for one in found[:MOST_LISTED]])

    def refuse(self) -> None:
        """For who wants everything or nothing.

        Raises:
            InvalidInput: something was lost; the details name it.
        """
        if self._found:
            raise InvalidInput(
                f"the {self.direction} ({self.format}) would lose {len(self._found)} things",
                hint="leave out strict to take it with its losses",
                code="WouldLose",
                details=[
                    {"code": one.kind, "message": one.words()} for one in self.losses[:MOST_LISTED]
                ],
            )
