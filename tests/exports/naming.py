"""Names of series for tests, as a server would tell them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gemel.core.series import SeriesKey
from gemel.exports.names import Names


def names(*keys: SeriesKey | tuple[str, str]) -> Names:
    """Series numbered from 0; all of them go out."""
    known = [SeriesKey(*key) for key in keys]

    def ask(numbers: Sequence[int]) -> Iterable[tuple[int, SeriesKey | None]]:
        return [(n, known[n] if n < len(known) else None) for n in numbers]

    made = Names(ask)
    made._learn(list(range(len(known))))
    return made
