"""Every construct of the grammar stands in a scenario, so that plain text tells its meaning."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import pytest
from lark import Lark, Token

from gemel.services.rules.parser import OVER_RELATIVES, OVER_TIME

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*.txt"))
WORDS = {
    "COMPARE": {">", ">=", "<", "<=", "==", "!="},
    "SIGN": {"+", "-"},
    "SCALE": {"*", "/"},
    "FUNCTION": {"abs", "min", "max"},
    "TRUTH": {"true", "false"},
    "DIRECTION": {"rises", "falls"},
    "QUANTITY": {"any", "all", "none", "at least", "at most"},
    "PROVENANCE": {"derived", "predicted", "simulated"},
}
"""What a word of these kinds may be; of statistics, the parser says it."""


@lru_cache(maxsize=1)
def parser():
    text = (files("gemel.services.rules") / "grammar.lark").read_text("utf-8")
    return Lark(
        text, start=["start", "formula"], parser="lalr", lexer="contextual", keep_all_tokens=True
    )


def trees_of(text):
    for kind, rule in re.findall(r"(?m)^(rule [\w-]+|derived \S+ in \S+): (.*)$", text):
        yield parser().parse(rule, start="start" if kind.startswith("rule") else "formula")


def name_of(token):
    """A word without what differs from rule to rule: numbers, labels, brackets."""
    text = re.sub(r"\s+", " ", str(token))
    if token.type == "STATISTIC":
        return text.split()[-2]
    if token.type == "QUANTITY":
        return re.sub(r" \d+ of$", "", text)
    return re.match(r"\w+", text)[0] if text[:1].isalpha() else text


def used_in(texts):
    """The rules of the grammar, and its words as (kind, word); statistics by their rule."""
    rules, words = set(), set()
    for text in texts:
        for tree in trees_of(text):
            for part in tree.iter_subtrees():
                rules.add(str(part.data))
                for token in part.children:
                    if isinstance(token, Token):
                        words |= {(token.type, name_of(token)), (str(part.data), name_of(token))}
    return rules, words


def missing_from(texts):
    rules, words = used_in(texts)
    kinds = {kind for kind, _ in words}
    grammar = {str(r.alias or r.origin.name) for r in parser().rules if not r.options.expand1}
    grammar |= {str(r.alias) for r in parser().rules if r.alias}
    found = {one for one in grammar if not one.startswith("_")} - rules - {"formula"}
    found |= {one.name for one in parser().terminals if one.name != "WS"} - kinds
    over_time = (OVER_TIME | {"median"}) - {"percentile"}
    wanted = {(kind, word) for kind, some in WORDS.items() for word in some}
    wanted |= {("measure", word) for word in over_time | {"percentile"}}
    wanted |= {("gather", word) for word in OVER_RELATIVES | {"worst"}}
    return found | {" ".join(pair) for pair in wanted - words}


@pytest.fixture(scope="module")
def texts():
    return [path.read_text("utf-8") for path in SCENARIOS]


def test_every_construct_has_a_scenario(texts):
    assert not missing_from(texts)


def test_a_construct_without_a_scenario_is_found(texts):
    for word, missed in (
        ("deviates", {"deviates", "DEVIATES"}),
        ("between", {"schedule", "BETWEEN"}),
        ("anywhere", {"ANYWHERE"}),
        ("median of", {"measure median"}),
        ("!=", {"COMPARE !="}),
    ):
        rest = ["\n".join(r for r in text.splitlines() if word not in r) for text in texts]
        assert missed <= missing_from(rest), word
