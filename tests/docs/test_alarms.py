"""docs/reference/alarms.md shows the table of states that the program runs by."""

from __future__ import annotations

import re

from pages import read, section, table

from gemel.services.alarms import STATES, TRANSITIONS
from gemel.services.work import TRANSITIONS as WORK

PAGE = read("docs/reference/alarms.md")


def test_the_table_of_transitions_is_the_one_in_the_program() -> None:
    rows = table(section(PAGE, "### All transitions"), "state")
    documented = {}
    for state, act, _, then in rows:
        found = re.findall(r"`([\w-]+)`", then)
        documented[state.strip("`"), act] = (found[0], found[-1])
    assert documented == {key: tuple(after) for key, after in TRANSITIONS.items()}


def test_every_state_is_explained() -> None:
    rows = table(section(PAGE, "## The life of an alarm"), "state")
    assert [row[0].strip("`") for row in rows][: len(STATES)] == list(STATES)


def test_the_table_of_work_orders_is_the_one_in_the_program() -> None:
    rows = table(section(read("docs/reference/work.md"), "## The life of a work order"), "state")
    documented = {
        (state.strip("`"), act): then.strip("`") for state, act, then in (r[:3] for r in rows)
    }
    assert documented == WORK
