"""Conditions in the language of rules, judged now: interlocks of commands, bounds of services.

A condition is compiled once for a model and judged on a twin's last values; where it speaks of
time, on the history before now. What is not known (no reading, a twin that is silent) does not
hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import orjson

from gemel.app.formulas import kin_shapes, shapes_of
from gemel.app.signals import Signals
from gemel.commands.guards import Held
from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.errors import GemelError, InvalidInput
from gemel.core.series import split_beside
from gemel.services.rules.expression import Relation
from gemel.services.rules.features import longest_window
from gemel.services.rules.rule import Rule, load_rule
from gemel.services.rules.text import code_of_json
from gemel.services.rules.whole import Span
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

IsShown = Callable[[str, str], bool]
"""Whether who asks may know the value of a path of a twin."""
MOST_READINGS = 200_000
"""Of one signal that one condition looks back on."""
BAD = 128


def compile_condition(graph: Graph, signals: Signals, model: str, when: str, place: str) -> Rule:
    """Checks a condition against a model.

    Raises:
        InvalidInput: names the place and the character.
    """
    return load_rule(
        place,
        {"model": model, "when": when, "lateness": 1.0},
        shapes_of(graph, signals, model),
        stale_after=1e9,
        kin=kin_shapes(graph, signals, model),
    )


class Conditions:
    """Judges conditions on twins as they are now."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._rules: dict[tuple[str, str], Rule] = {}

    def forget(self) -> None:
        """After models or settings have changed."""
        self._rules.clear()

    def judge(
        self, twin: str, when: str, title: str = "", is_shown: IsShown = lambda *_: True
    ) -> Held:
        """Whether a condition holds for a twin now, and on which values that was found.

        It is judged on the whole plant; of the values it tells those that `is_shown` lets through.
        """
        title = title or when
        try:
            rule = self._rule(twin, when)
            holds = self._holds(rule, twin)
        except GemelError as error:
            return Held(when, title, None, error.message)
        return Held(when, title, holds, self._seen(rule, twin, is_shown))

    def _rule(self, twin: str, when: str) -> Rule:
        platform = self._platform
        model = platform.catalogue.require_twin(twin)
        found = self._rules.get((model, when))
        if found is None:
            found = compile_condition(
                platform.graph, platform.catalogue.signals, model, when, "condition"
            )
            self._rules[model, when] = found
        return found

    def _holds(self, rule: Rule, twin: str) -> bool | None:
        now = self._platform.clock()
        end = -(-now // SECOND) * SECOND
        kernel = rule.kernel
        since = end - kernel.hold - (longest_window(kernel.features) + 2) * SECOND
        readings = _Readings(
            self._platform, since, end, looks_back=bool(kernel.hold or kernel.features)
        )
        means = self._platform.reactions.means

        def kin(who: str, relation: Relation) -> list[str]:
            return means.relatives(who, relation)

        return Span(readings.read, end - kernel.hold, end, kin, means.settings).truth(rule, twin)

    def _seen(self, rule: Rule, twin: str, is_shown: IsShown) -> str:
        catalogue = self._platform.catalogue
        read = self._platform.value_of(twin)
        found = []
        for path in sorted(rule.kernel.raw_paths):
            if not is_shown(twin, split_beside(path)[0]):
                continue
            value = read(path)
            shown = (
                "not known"
                if value is None
                else f"{_number(value[0])} {catalogue.unit_of(twin, path)}"
            )
            found.append(f"{path} is {shown.strip()}")
        return ", ".join(found[:5])


class _Readings:
    """What conditions may believe: newest values of twins that are heard, and what people set."""

    def __init__(self, platform: Platform, since: int, end: int, *, looks_back: bool) -> None:
        self._platform = platform
        self._since, self._end, self._looks_back = since, end, looks_back

    def read(self, twin: str, path: str) -> tuple[I64, F64]:
        platform = self._platform
        stored = platform.graph.stored_values(twin).get(path)
        series = platform.series.find(twin, path)
        last = None if series is None else platform.state.get(series)
        if last is not None and (stored is None or last.time > stored[1]):
            assert series is not None
            return self._measured(twin, series)
        if stored is None:
            return _NOTHING
        value = code_of_json(_json(stored[0])) if isinstance(stored[0], str) else _float(stored[0])
        return _one(min(stored[1] or self._since, self._end), value)

    def _measured(self, twin: str, series: int) -> tuple[I64, F64]:
        platform = self._platform
        if platform.presence.status(twin, platform.clock()) in ("stale", "offline", "never"):
            return _NOTHING
        last = platform.state.get(series)
        if last is None or last.quality >= BAD:
            return _NOTHING
        newest = last.value if last.text is None else code_of_json(last.text)
        if not self._looks_back or last.time < self._since:
            return _one(min(last.time, self._end), newest)
        time, value = self._history(series)
        if not len(time) or time[-1] < min(last.time, self._end):
            time = np.append(time, min(last.time, self._end))
            value = np.append(value, newest)
        return time, value

    def _history(self, series: int) -> tuple[I64, F64]:
        history = self._platform.history
        columns = history.read(series, self._since, self._end + 1, limit=MOST_READINGS + 1)
        if len(columns) > MOST_READINGS:
            raise InvalidInput(
                f"a condition looks back on more than {MOST_READINGS:,} readings",
                hint="choose a shorter time",
            )
        time, value = columns.time, columns.value
        if columns.text:
            value = value.copy()
            for row, text in columns.text.items():
                value[row] = code_of_json(text)
        counts = np.isfinite(value)
        time, value = time[counts], value[counts]
        before = history.last(series, self._since - 1)
        if before is not None and before.quality < BAD:
            first = before.value if before.text is None else code_of_json(before.text)
            time = np.concatenate((np.array([before.time], np.int64), time))
            value = np.concatenate((np.array([first]), value))
        return time, value


_NOTHING: tuple[I64, F64] = (np.zeros(0, np.int64), np.zeros(0))


def _one(time: int, value: float) -> tuple[I64, F64]:
    return np.array([time], np.int64), np.array([value], np.float64)


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(value: str) -> str:
    return orjson.dumps(value).decode()
