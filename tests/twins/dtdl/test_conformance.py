"""The public DTDL test cases and real ontologies, scored separately for valid and invalid."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gemel.core.errors import InvalidInput, ModelInvalid
from gemel.twins.dtdl.dtmi import read_dtmi
from gemel.twins.dtdl.parser import parse

SHARED = Path(__file__).parents[3] / "../shared/conformance"
OPENNESS = {"AllowUndefinedExtensions": True, "DisallowUndefinedExtensions": False}
TOLERANT = "TolerateSolecismsIn"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.exists(), reason=f"no conformance data at {SHARED}"),
]


def cases(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        for case in content if isinstance(content, list) else [content]:
            yield path.stem, case


def answer(case: dict[str, Any]) -> ModelInvalid | None:
    """The refusal, None when the models were accepted; what a case resolves is known before."""
    openness = next((OPENNESS[o] for o in case.get("options", ()) if o in OPENNESS), None)
    quirks = case.get("quirks", ())
    resolved = [one for step in case.get("resolution", ()) for one in step["response"]]
    try:
        known = {}
        if resolved:
            known = parse(resolved, tolerant=f"{TOLERANT}Resolve" in quirks)
        parse(
            case["input"],
            known,
            undefined_extensions=openness,
            tolerant=f"{TOLERANT}Parse" in quirks,
        )
    except ModelInvalid as error:
        return error
    return None


def score(folder: Path) -> tuple[Counter[str], list[str]]:
    """Counts of right and wrong answers, and the names of the cases answered wrongly."""
    counts: Counter[str] = Counter()
    wrong = []
    for name, case in cases(folder):
        refusal = answer(case)
        group = "valid" if case["valid"] else "invalid"
        counts[group] += 1
        right = (refusal is None) == case["valid"]
        counts[f"{group} right"] += right
        if not right:
            wrong.append(f"{name}: {refusal.message if refusal else 'accepted'}")
        if refusal is None or case["valid"]:
            continue
        expected = case.get("expect", {})
        codes = {e["ValidationID"] for e in expected.get("parsingErrors", ())}
        counts["coded"] += bool(codes)
        counts["coded right"] += bool(codes) and codes <= {d["code"] for d in refusal.details}
        missing = expected.get("unresolvedIdentifiers", ())
        text = " ".join(d["message"] for d in refusal.details)
        counts["unresolved"] += bool(missing)
        counts["unresolved named"] += bool(missing) and all(i in text for i in missing)
    return counts, wrong


@pytest.mark.parametrize("folder", ["specification", "doc-examples", "solecisms"])
def test_every_public_case_is_answered_rightly(folder: str) -> None:
    counts, wrong = score(SHARED / "dtdl" / folder)
    print(f"{folder:14} {'right':>6} {'of':>6}")
    for group in ("valid", "invalid", "coded"):
        print(f"  {group:12} {counts[group + ' right']:6} {counts[group]:6}")
    print(f"  {'unresolved':12} {counts['unresolved named']:6} {counts['unresolved']:6}")
    assert counts["valid"] > 0
    assert counts["invalid"] > 0
    assert counts["valid right"] == counts["valid"], wrong[:10]
    assert counts["invalid right"] == counts["invalid"], wrong[:10]
    assert counts["coded right"] == counts["coded"]
    assert counts["unresolved named"] == counts["unresolved"]


def test_every_dtmi_case_is_answered_rightly() -> None:
    seen = Counter[bool]()
    for name, case in cases(SHARED / "dtdl/dtmis"):
        seen[case["valid"]] += 1
        if not case["valid"]:
            with pytest.raises(InvalidInput):
                read_dtmi(case["idText"])
            continue
        made, expected = read_dtmi(case["idText"]), case["expect"]
        assert made.major == expected["MajorVersion"], name
        assert made.minor == expected["MinorVersion"], name
        assert list(made.labels) == expected["Labels"], name
        assert made.versionless == expected["Versionless"], name
        assert made.fragment == expected["Fragment"], name
        assert made.is_reserved == expected["IsReserved"], name
        assert str(made) == case["idText"], name
    assert seen[True] >= 14
    assert seen[False] >= 20


@pytest.mark.parametrize(("name", "count"), [("energygrid", 113), ("smartcities", 63)])
def test_real_ontologies_load_whole_and_one_by_one(name: str, count: int) -> None:
    documents = [
        json.loads(path.read_text(encoding="utf-8-sig"))
        for path in sorted((SHARED / "ontologies" / name).rglob("*.json"))
    ]
    whole = parse(documents)
    assert len(whole) == count
    assert all(one.id in one.bases for one in whole.values())

    known: dict[str, Any] = {}
    waiting = documents
    while waiting:
        later = [one for one in waiting if not load_one(one, known)]
        assert len(later) < len(waiting)
        waiting = later
    assert known == whole


def load_one(document: Any, known: dict[str, Any]) -> bool:
    """Whether what the model refers to was known already, and so the model is now."""
    try:
        known |= parse([document], known)
    except ModelInvalid as error:
        if {d["code"] for d in error.details} != {"UnresolvedReference"}:
            raise
        return False
    return True
