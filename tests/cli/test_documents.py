from __future__ import annotations

from pathlib import Path

import pytest

from gemel.cli.documents import entries_of
from gemel.core.errors import InvalidInput

HOT = {"id": "hot", "when": "a > 1"}


@pytest.mark.parametrize(
    "text",
    [
        "- {id: hot, when: a > 1}",
        "rules: [{id: hot, when: a > 1}]",
        "{id: hot, when: a > 1}",
        "rules: {hot: {when: a > 1}}",
        "hot: {when: a > 1}",
    ],
)
def test_entries_stand_in_a_list_alone_or_by_id(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    assert entries_of(file, "rules", "rules") == [HOT]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("when: a > 1", "holds no rules"),
        ("rules: 3", "holds no rules"),
        ("- {id: hot, when: a > 1}\n- {when: a > 1}", "entry 2 has no 'id'"),
        ("- {id: 7, when: a > 1}", "entry 1 has no 'id'"),
    ],
)
def test_what_holds_no_entries_says_what_is_missing(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=says):
        entries_of(file, "rules", "rules")
