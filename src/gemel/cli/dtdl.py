"""`gemel dtdl`: models and values judged by the rules of DTDL, one JSON line each."""

from __future__ import annotations

import argparse
import sys

from gemel.app.model_lines import Judge, answers, judge_instance, judge_model


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `gemel dtdl`."""
    kinds = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    validate = kinds.add_parser(
        "validate", help="are models valid, and if not, by which rules: a line a set of models"
    )
    validate.set_defaults(run=run, judge=judge_model)
    conforms = kinds.add_parser(
        "conforms", help="does a value conform to an element of a model: a line a value"
    )
    conforms.set_defaults(run=run, judge=judge_instance)
    for one in (validate, conforms):
        one.add_argument("--explain", action="store_true", help="say in words what is wrong")


def run(arguments: argparse.Namespace) -> int:
    """Answers each line of standard input; 1 when some line could not be answered."""
    judge: Judge = arguments.judge(arguments.explain)
    bad = 0
    for answer, is_good in answers(iter(sys.stdin.buffer), judge):
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()  # who asks line by line waits for it
        bad += not is_good
    if bad:
        lines = "a line" if bad == 1 else f"{bad} lines"
        sys.stderr.write(f"gemel: {lines} could not be answered; see the errors in the answers\n")
    return 1 if bad else 0
