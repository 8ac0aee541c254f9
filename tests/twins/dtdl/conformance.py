"""Runs the public DTDL test cases; used by test_conformance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gemel.core.errors import ModelInvalid
from gemel.twins.dtdl.parser import parse

OPENNESS = {"AllowUndefinedExtensions": True, "DisallowUndefinedExtensions": False}


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
            known = parse(resolved, tolerant="TolerateSolecismsInResolve" in quirks)
        parse(
            case["input"],
            known,
            undefined_extensions=openness,
            tolerant="TolerateSolecismsInParse" in quirks,
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
        expected = {e["ValidationID"] for e in case.get("expect", {}).get("parsingErrors", ())}
        if refusal is not None and not case["valid"]:
            counts["with code"] += bool(expected)
            given = {detail["code"] for detail in refusal.details}
            if expected and expected <= given:
                counts["code right"] += 1
            elif expected:
                wrong.append(f"{name}: code {sorted(given)} for {sorted(expected)}")
            missing = case.get("expect", {}).get("unresolvedIdentifiers", ())
            text = " ".join(d["message"] for d in refusal.details)
            counts["unresolved"] += bool(missing)
            counts["unresolved named"] += bool(missing) and all(i in text for i in missing)
    return counts, wrong
