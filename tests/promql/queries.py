"""Queries made up by a seed, of all that is supported, over the metrics of a small plant."""

from __future__ import annotations

import random

from gemel.promql.tree import FUNCTIONS, RANGE, VECTOR

SELECTORS = (
    "flow",
    "temperature",
    "energy_total",
    "running",
    "bearing_temperature",
    'flow{twin="p-1"}',
    'flow{twin=~"p-[123]"}',
    'temperature{twin!~"p-.*[02468]"}',
    'energy_total{twin!="p-3"}',
    '{__name__=~"flow|running", twin=~"p-(1|2|3|4)"}',
    'flow{site=""}',
    'flow{twin="none"}',
)
RANGES = ("45s", "1m", "2m", "5m", "10m", "1h")
OF_RANGE = tuple(name for name, one in FUNCTIONS.items() if one.arguments == (RANGE,))
OF_VECTOR = tuple(
    name for name, one in FUNCTIONS.items() if one.arguments == (VECTOR,) and one.gives == VECTOR
)
TOTALS = ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "group")
LABELS = ("twin", "model", "unit", "property", "component", "none")
SIGNS = ("+", "-", "*", "/", "%", "^")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Queries:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one_of(self, *options: str) -> str:
        return self.random.choice(options)

    def modifiers(self) -> str:
        return self.one_of(
            *[""] * 6, " offset 2m", " offset -90s", " @ 1700003000", " @ start()", " @ end()"
        )

    def selector(self) -> str:
        return self.one_of(*SELECTORS) + self.modifiers()

    def range(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.25:
            step = self.one_of("", "30s", "1m", "73s")
            return f"({self.vector(depth - 1)})[{self.one_of(*RANGES)}:{step}]{self.modifiers()}"
        return f"{self.one_of(*SELECTORS)}[{self.one_of(*RANGES)}]{self.modifiers()}"

    def scalar(self, depth: int) -> str:
        kind = self.random.randrange(8)
        if kind == 0 and depth > 0:
            return f"scalar({self.vector(depth - 1)})"
        if kind == 1:
            return "time()"
        if kind == 2:
            return f"({self.scalar(0)} {self.one_of(*SIGNS[:4])} {self.scalar(0)})"
        if kind == 3:
            return f"({self.scalar(0)} {self.one_of(*COMPARISONS)} bool {self.scalar(0)})"
        return self.one_of("0", "1", "2.5", "-3", "100", "1e3", "0x1F", "pi()")

    def grouping(self) -> str:
        word = self.one_of("by", "by", "without", "")
        labels = self.random.sample(LABELS, self.random.randrange(3))
        return f" {word} ({', '.join(labels)}) " if word else ""

    def matching(self, *, is_set: bool) -> str:
        how = self.random.randrange(4)
        if how == 0:
            return ""
        if how == 1:
            return " on (twin) "
        if how == 2:
            return " ignoring (property, unit, component) "
        if is_set:
            return " on (model) "
        group = self.one_of("group_left", "group_right")
        return f" on (twin) {group} ({self.one_of('', 'unit', 'property')}) "

    def aggregation(self, depth: int) -> str:
        name = self.one_of(*TOTALS, "topk", "bottomk", "quantile", "count_values")
        inner = self.vector(depth - 1)
        if name in ("topk", "bottomk"):  # of values that differ: among equal ones any will do
            of = self.one_of("flow", "energy_total", '{__name__=~"flow|energy_total"}')
            inner = f"{self.one_of('max', 'sum', 'last')}_over_time({of}[{self.one_of(*RANGES)}])"
            inner = f"{self.one_of('0', '1', '2', '5', '-1')}, {inner}"
        if name == "quantile":
            inner = f"{self.one_of('0', '0.25', '0.5', '0.9', '1', '1.5', '-1')}, {inner}"
        if name == "count_values":
            inner = f'"worth", round(clamp({inner}, -1e6, 1e6), 10)'
        if self.random.random() < 0.5:
            return f"{name}{self.grouping()}({inner})"
        return f"{name}({inner}){self.grouping()}"

    def call(self, depth: int) -> str:
        kind = self.random.randrange(10)
        inner = self.vector(depth - 1)
        if kind == 0:
            return f"clamp({inner}, {self.scalar(0)}, {self.scalar(0)})"
        if kind == 1:
            return f"{self.one_of('clamp_min', 'clamp_max')}({inner}, {self.scalar(depth - 1)})"
        if kind == 2:
            return f"round({inner}, {self.one_of('0.1', '5', '1', '0.03')})"
        if kind == 3:
            pattern = self.one_of("p-(.*)", "(.)-(.+)", "p-1|p-2", "x", ".*")
            to = self.one_of("$1", "${1}b", "n", "", "$2$1", "$1x")
            label = self.one_of("site", "twin")
            return f'label_replace({inner}, "{label}", "{to}", "twin", "{pattern}")'
        if kind == 4:
            return f'label_join({inner}, "both", "/", "twin", "property", "none")'
        if kind == 5:
            return f"vector({self.scalar(depth - 1)})"
        if kind == 6:
            behind = (
                f"{self.one_of(*SELECTORS)}[{self.one_of(*RANGES)}]"  # see `test_a_fixed_moment`
            )
            return f"predict_linear({behind}, {self.one_of('60', '3600', '-30')})"
        if kind == 7:
            level = self.one_of("0.5", "0.1", "0.99", "1", "2", "-1")
            return f"quantile_over_time({level}, {self.range(depth - 1)})"
        return f"{self.one_of(*OF_VECTOR)}({inner})"

    def binary(self, depth: int) -> str:
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        kind = self.random.randrange(8)
        if kind < 2:
            sign = self.one_of(*SIGNS, *COMPARISONS)
            return f"({left}) {sign} {self.scalar(depth - 1)}"
        if kind == 2:
            return f"{self.scalar(depth - 1)} {self.one_of(*SIGNS, *COMPARISONS)} ({left})"
        if kind == 3:
            matching = self.matching(is_set=True)
            return f"({left}) {self.one_of('and', 'or', 'unless')} {matching} ({right})"
        sign = self.one_of(*SIGNS, *COMPARISONS)
        is_bool = "bool" if sign in COMPARISONS and self.random.random() < 0.5 else ""
        return f"({left}) {sign} {is_bool} {self.matching(is_set=False)} ({right})"

    def vector(self, depth: int) -> str:
        if depth <= 0:
            return self.selector()
        kind = self.random.randrange(10)
        if kind < 3:
            return f"{self.one_of(*OF_RANGE)}({self.range(depth)})"
        if kind < 5:
            return self.aggregation(depth)
        if kind < 7:
            return self.call(depth)
        if kind < 9:
            return self.binary(depth)
        return f"-{self.selector()}" if self.random.random() < 0.3 else self.selector()


def generated(seed: int) -> str:
    """The query of a seed."""
    queries = Queries(seed)
    depth = 1 + seed % 3
    return queries.scalar(depth) if seed % 25 == 24 else queries.vector(depth)
