"""`gemel dtdl` as a program: JSON lines in, an answer a line out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

MODEL = {
    "@context": "dtmi:dtdl:context;3",
    "@id": "dtmi:test:Pump;1",
    "@type": "Interface",
    "contents": [{"@type": "Telemetry", "name": "flow", "schema": "double"}],
}


def ask(action: str, *lines: Any, flags: tuple[str, ...] = ()) -> tuple[list[Any], int]:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
    done = subprocess.run(
        [sys.executable, "-m", "gemel", "dtdl", action, *flags],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def test_models_are_judged_line_by_line() -> None:
    wrong = {**MODEL, "contents": [{"@type": "Telemetry", "name": "flow", "schema": "dubble"}]}
    missing = {**MODEL, "extends": "dtmi:test:Base;1"}
    odd = {**MODEL, "@context": ["dtmi:dtdl:context;3", "dtmi:acme:ours;1"]}
    told, code = ask(
        "validate",
        {"input": [MODEL], "options": [], "quirks": []},
        {"input": [wrong]},
        {"input": [missing]},
        {
            "input": [missing],
            "resolution": [{"response": [{**MODEL, "@id": "dtmi:test:Base;1", "contents": []}]}],
        },
        {"input": [odd]},
        {"input": [odd], "options": ["AllowUndefinedExtensions"]},
        {"input": []},
    )
    assert told[0] == {"valid": True, "errors": [], "unresolved": []}
    assert not told[1]["valid"]
    assert "dtmi:dtdl:parsingError:badDtmiOrTerm" in told[1]["errors"]
    assert told[2] == {"valid": False, "errors": [], "unresolved": ["dtmi:test:Base;1"]}
    assert told[3]["valid"]
    assert told[4]["errors"] == ["dtmi:dtdl:parsingError:unresolvableContextSpecifier"]
    assert told[5]["valid"]
    assert told[6]["valid"]
    assert code == 0


def test_faults_of_old_models_pass_when_asked_for() -> None:
    old = {
        **MODEL,
        "@context": "dtmi:dtdl:context;2",
        "contents": [{"@type": "Telemetry", "name": "flow", "schema": {"@id": "double"}}],
    }
    told, _ = ask(
        "validate", {"input": [old]}, {"input": [old], "quirks": ["TolerateSolecismsInParse"]}
    )
    assert [one["valid"] for one in told] == [False, True]


def test_a_bad_line_gets_an_error_and_the_rest_goes_on() -> None:
    told, code = ask(
        "validate",
        "nonsense",
        "",
        "[1]",
        {"models": []},
        {"input": [MODEL], "options": ["Sometimes"]},
        {"input": [MODEL]},
    )
    assert [list(one) for one in told[:5]] == [["error"]] * 5
    assert all(one["error"]["code"] == "InvalidArgument" for one in told[:5])
    assert "Sometimes" in told[4]["error"]["message"]
    assert told[5]["valid"]
    assert code == 1


def test_values_are_judged_line_by_line() -> None:
    flow = "dtmi:dtdl:instance:Schema:double;2"
    told, code = ask(
        "conforms",
        {"model": [MODEL], "subject": flow, "submit": "1.5"},
        {"model": [MODEL], "subject": flow, "submit": '"x"'},
        {"model": [MODEL], "subject": flow, "submit": "{"},
        {"model": [MODEL], "subject": "dtmi:test:Pump;1", "submit": "{}"},
        {"model": [MODEL], "subject": "dtmi:test:None;1", "submit": "1"},
        {"model": [{**MODEL, "@type": "Pump"}], "subject": flow, "submit": "1"},
    )
    assert told[:3] == [{"conforms": True}, {"conforms": False}, {"conforms": False}]
    assert told[3]["conforms"] is False
    assert "Interface" in told[3]["error"]["message"]
    assert "dtmi:test:None;1" in told[4]["error"]["message"]
    assert told[5]["error"]["code"] == "DTDLParserError"
    assert code == 1


def test_values_are_judged_by_the_model_of_their_own_line() -> None:
    def case(number: int, value: int, **more: object) -> dict[str, Any]:
        one = {"name": "on", "enumValue": value, **more}
        mode = {"@id": "dtmi:test:mode;1", "@type": "Enum", "valueSchema": "integer"}
        contents = [
            {"@type": "Property", "name": f"n{number}", "schema": {**mode, "enumValues": [one]}}
        ]
        model = {**MODEL, "contents": contents}
        return {"model": [model], "subject": "dtmi:test:mode;1", "submit": "1"}

    cases = [case(n % 40, n % 2) for n in range(90)]
    told, code = ask("conforms", *cases, *cases[::-1])
    expected = [{"conforms": n % 2 == 1} for n in range(90)]
    assert told == expected + expected[::-1]
    assert code == 0
    lenient = {**case(1, 1, **{"@type": ["EnumValue", "dtmi:x:Extra;1"]})}
    either = [{**lenient, "options": ["AllowUndefinedExtensions"]}, lenient] * 2
    told, _ = ask("conforms", *either)
    assert told[:2] == told[2:]
    large = {**MODEL, "comment": 10**30}
    told, code = ask("conforms", {"model": [large], "subject": "dtmi:test:x;1", "submit": "1"})
    assert "error" in told[0]


def test_what_is_wrong_is_explained_when_asked_for() -> None:
    wrong = {**MODEL, "@id": "dtmi:test:1Pump;1"}
    told, _ = ask("validate", {"input": [wrong]}, flags=("--explain",))
    assert "dtmi:test:1Pump;1" in told[0]["messages"][0]
    told, _ = ask(
        "conforms",
        {"model": [MODEL], "subject": "dtmi:dtdl:instance:Schema:double;2", "submit": '"x"'},
        flags=("--explain",),
    )
    assert told == [{"conforms": False, "messages": ["'x' is not a numeric value"]}]


def test_no_line_ends_the_work() -> None:
    good = {"input": [MODEL]}
    deep = json.dumps({"input": [{**MODEL, "contents": 0}]}).replace("0", "[" * 1000 + "]" * 1000)
    half = '{"input": [{"@id": "dtmi:\\ud800;1"}]}'
    bad = ["", "\x00", "[" * 100_000, deep, half, '{"input": 5}', '{"input": "' + "x" * 10**6]
    told, code = ask("validate", *[line for one in bad for line in (one, good)])
    assert code == 1
    assert [one["valid"] for one in told[1::2]] == [True] * len(bad)
    assert [next(iter(one)) for one in told[::2]] == ["error"] * 3 + ["valid"] + ["error"] * 3
    case = {"model": [MODEL], "subject": "dtmi:dtdl:instance:Schema:double;3"}
    submits = ["1", "\x00", "[" * 100_000, '"\\ud800"', "9" * 10_000]
    told, code = ask("conforms", *[{**case, "submit": one} for one in submits])
    assert [one["conforms"] for one in told] == [True] + [False] * 4
    assert code == 0
