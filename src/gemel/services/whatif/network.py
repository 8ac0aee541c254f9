"""All twins of a fork that behave, joined: in which order they step, and which rows they use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemel.core.errors import InvalidInput
from gemel.services.behaviour.model import Quantity
from gemel.services.whatif.attachment import Attachment
from gemel.services.whatif.fork import Fork
from gemel.services.whatif.program import OUTPUT, Evaluate, Places, Slots, evaluator


@dataclass(frozen=True, slots=True)
class Block:
    """The twins of one attachment; they step together."""

    attachment: Attachment
    twins: tuple[str, ...]
    parameters: tuple[tuple[str, Places], ...]
    """Rows of the table, by parameter."""
    inputs: tuple[tuple[Quantity, Evaluate | None], ...]
    """In the order of the behaviour; None holds its default."""
    start: tuple[tuple[Quantity, Evaluate | None], ...]
    given: tuple[tuple[str, Places], ...]
    """Outputs of the behaviour that formulas read."""
    outputs: tuple[tuple[str, Places, Evaluate], ...]


@dataclass(frozen=True, slots=True)
class Network:
    fork: Fork
    slots: Slots
    blocks: tuple[Block, ...]
    produced: dict[tuple[str, str], int]
    """By (twin, path): rows that some block writes."""
    parameters: dict[tuple[str, str], int]

    def boundary(self) -> list[tuple[str, str]]:
        """What formulas read and nobody here makes: it comes from outside."""
        own = self.produced.keys() | self.parameters.keys()
        return sorted(
            key for key, _ in self.slots.items() if key not in own and not key[1].startswith(OUTPUT)
        )


def joined(fork: Fork, attachments: Sequence[Attachment]) -> Network:
    """The network of a fork; attachments step in their order, each with the newest values.

    Raises:
        InvalidInput: nothing of the fork behaves, or two attachments write the same.
    """
    slots = Slots()
    produced: dict[tuple[str, str], int] = {}
    parameters: dict[tuple[str, str], int] = {}
    writer: dict[tuple[str, str], str] = {}
    chosen = [(one, tuple(fork.of_model(one.model))) for one in attachments]
    chosen = [(one, twins) for one, twins in chosen if twins]
    if not chosen:
        raise InvalidInput(
            "no twin of the fork has a behaviour",
            hint="GET /behaviours lists those there are; fork twins of their models",
        )
    for one, twins in chosen:
        for path in one.outputs:
            for twin in twins:
                if (twin, path) in writer:
                    raise InvalidInput(
                        f"behaviours '{writer[twin, path]}' and '{one.id}' both give "
                        f"'{path}' of '{twin}'",
                        hint="leave it out of one",
                    )
                writer[twin, path] = one.id
                produced[twin, path] = slots.row(twin, path)
        for name in one.parameters:
            for twin in twins:
                parameters[twin, name] = slots.row(twin, name)
    blocks = tuple(_block(one, twins, fork, slots) for one, twins in chosen)
    return Network(fork, slots, blocks, produced, parameters)


def _block(one: Attachment, twins: tuple[str, ...], fork: Fork, slots: Slots) -> Block:
    behaviour = one.behaviour
    names = frozenset(q.name for q in behaviour.outputs) if behaviour else frozenset()

    def made(what: str, name: str) -> Evaluate | None:
        formula = getattr(one, what).get(name)
        if formula is None:
            return None
        place = f"behaviour '{one.id}': {what}.{name}"
        return evaluator(place, formula, twins, fork, slots)

    outputs = tuple(
        (
            path,
            slots.rows(twins, path),
            evaluator(f"behaviour '{one.id}': outputs.{path}", formula, twins, fork, slots, names),
        )
        for path, formula in one.outputs.items()
    )
    return Block(
        one,
        twins,
        tuple((name, slots.rows(twins, name)) for name in one.parameters),
        tuple((q, made("inputs", q.name)) for q in behaviour.inputs) if behaviour else (),
        tuple((q, made("start", q.name)) for q in (*behaviour.states, *behaviour.starts))
        if behaviour
        else (),
        tuple((q.name, slots.rows(twins, OUTPUT + q.name)) for q in behaviour.outputs)
        if behaviour
        else (),
        outputs,
    )
