"""Compares the DTDL reader with the reference parser on models changed at random.

    python bench/dtdl_agreement.py [--json] [--seeds 101 102] [--count 1000] [--versions 2 3 4]

The reference is the official parser as WebAssembly (npm: @digicatapult/dtdl-parser; needs node and
npm). Bases are the public DTDL cases where they are beside the checkout, else our own models.
Answers are counted apart for models that the reference accepts and refuses, and by kind of change;
`an id` counts refusals that share an error id, `all ids` those with all of the reference's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/twins/dtdl"), str(ROOT / "tests")]

import agreement  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--count", type=int, default=1000, help="models a seed and version")
    parser.add_argument("--versions", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--show", type=int, default=0, help="disagreements to print")
    options = parser.parse_args()
    folder, why_not = agreement.reference()
    if folder is None:
        print(f"no reference parser: {why_not}", file=sys.stderr)
        return 1
    with agreement.Reference(folder) as reference:
        compare(reference, options)
    return 0


def compare(reference: agreement.Reference, options: argparse.Namespace) -> None:
    for version in options.versions:
        bases = agreement.bases(version)
        total: Counter[str] = Counter()
        shown = []
        busy = 0.0
        for seed in options.seeds:
            began = time.process_time()
            found = agreement.compare(reference, seed, version, bases, options.count)
            busy += time.process_time() - began
            total += found.counts
            shown += found.wrong
        report(version, total, busy, options.json)
        for text in shown[: options.show]:
            print("   ", text[:400])


def report(version: int, total: Counter[str], busy: float, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"name": f"dtdl {version}", **total, "cpu": round(busy, 2)}))
        return
    print(f"DTDL {version}   (the reference itself failed on {total['failed']}; not counted)")
    for group in ("valid", "invalid"):
        right, of = total[f"{group} right"], total[group]
        print(f"  {group:14} {right:6} of {of:6}   {100 * right / max(1, of):6.2f} %")
    for name in ("an id", "all ids"):
        right, of = total[name], total["refused by both"]
        print(f"  {name:14} {right:6} of {of:6}   {100 * right / max(1, of):6.2f} %")
    for name in sorted(key[3:] for key in total if key.startswith("of ")):
        right, of = total[f"right {name}"], total[f"of {name}"]
        print(f"    {name:12} {right:6} of {of:6}   {100 * right / max(1, of):6.2f} %")


if __name__ == "__main__":
    sys.exit(main())
