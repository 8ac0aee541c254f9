"""The command line: help, exit codes, JSON for programs, and words for people."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.inside import Inside, inside, until
from gemel.cli import output
from gemel.cli.main import COMMANDS, main

DATA: dict[str, str] = {}
NASTY = "\x1b[31mred\x07\x9b2J\u202eabc\x7f\r\n<script>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    folder = tmp_path_factory.mktemp("cli") / "data"
    with inside(folder) as found:
        found.pumps("pump-1", "pump-2")
        DATA["folder"] = str(folder)
        yield found


def gemel(*words: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(words))
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def ask(*words: str) -> tuple[int, str, str]:
    return gemel(*words, "--data", DATA["folder"])


def is_clean(text: str) -> bool:
    return all(c == "\n" or c == "\xa0" or c.isprintable() for c in text)


ACTIONS = [
    *([name] for name in COMMANDS),
    *(["twin", a] for a in ("list", "show")),
    *(["alarm", a] for a in ("list", "ack", "comment", "clear")),
    *(["rule", a] for a in ("list", "put", "delete")),
    *(["command", a] for a in ("list", "send")),
    *(["device", a] for a in ("list", "adopt")),
    *(["token", a] for a in ("create", "list", "delete")),
]


@pytest.mark.parametrize("words", ACTIONS, ids=" ".join)
def test_every_command_has_help(words: list[str]) -> None:
    code, out, err = gemel(*words, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: gemel {' '.join(words)}")


def test_help_names_every_command() -> None:
    code, out, _ = gemel("--help")
    assert code == 0
    assert all(f"    {name} " in out or f"    {name}\n" in out for name in COMMANDS)
    assert gemel("--version")[1].startswith("gemel ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["twin"],
        ["twin", "dance"],
        ["alarm", "ack"],
        ["alarm", "clear", "x"],
        ["--x"],
    ],
)
def test_what_is_not_understood_is_2_and_on_standard_error(words: list[str]) -> None:
    code, out, err = gemel(*words)
    assert (code, out) == (2, "")
    assert "usage: gemel" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["twin", "show", "none"], ["there is no twin 'none'", "GET /twins"]),
        (["alarm", "ack", "none"], ["there is no alarm 'none'"]),
        (["rule", "delete", "none"], ["there is no rule 'none'"]),
        (["rule", "put", "none.yaml"], ["there is no file none.yaml"]),
        (["command", "send", "pump-1", "none"], ["no command 'none'", "it has: "]),
        (["command", "send", "pump-1", "setSpeed", "fast"], ["not JSON", "a text needs quotes"]),
        (["device", "adopt", "none"], ["no device 'none'"]),
        (["token", "delete", "none"], ["there is no token 'none'"]),
        (["history", "pump-1", "none"], ["'pump-1' has no 'none'"]),
        (["history", "pump-1", "flow", "--from", "soon"], ["'soon' is not a time"]),
        (["import", "none.yaml"], ["there is no file none.yaml"]),
        (["twin", "show", "\x1b[2J"], ["\\x1b[2J"]),
    ],
)
def test_what_cannot_be_done_is_1_with_the_way_out(
    words: list[str], said: list[str], server: Inside
) -> None:
    code, out, err = ask(*words)
    assert (code, out) == (1, "")
    assert err.startswith("gemel: ")
    assert all(text in err for text in said), err
    assert is_clean(err)


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["twin", "list"],
        ["twin", "show", "pump-1"],
        ["alarm", "list"],
        ["alarm", "list", "--all"],
        ["rule", "list"],
        ["command", "list"],
        ["device", "list"],
        ["token", "list"],
        ["history", "pump-1", "flow"],
    ],
    ids=" ".join,
)
def test_lists_are_for_people_or_for_programs(words: list[str], server: Inside) -> None:
    code, out, err = ask(*words)
    assert (code, err) == (0, "")
    assert out.strip()
    code, out, err = ask(*words, "--json")
    assert (code, err) == (0, "")
    assert isinstance(orjson.loads(out), dict)


def test_names_that_attack_the_terminal_are_shown_not_sent(server: Inside) -> None:
    server.ask(
        "POST",
        "/plant",
        {"twins": {"bad": {"model": "dtmi:test:Pump;1", "name": NASTY}}},
    )
    server.ask(
        "PUT", "/rules/bad", {"model": "dtmi:test:Pump;1", "when": "flow > 1", "title": NASTY}
    )
    server.ingest("bad", flow=2, mode=NASTY)
    server.ingest("bad-device", **{NASTY: 5})
    server.ask("POST", "/tokens", {"role": "viewer", "name": NASTY})
    alarm = until(lambda: server.ask("GET", "/alarms", twin="bad")["value"])[0]
    server.ask("POST", f"/alarms/{alarm['id']}/comment", {"comment": NASTY})
    seen = ""
    for words in (
        ["twin", "list"],
        ["twin", "show", "bad"],
        ["alarm", "list"],
        ["rule", "list"],
        ["device", "list"],
        ["token", "list"],
        ["history", "bad", "mode"],
        ["alarm", "ack", alarm["id"]],
    ):
        for more in ([], ["--json"]):
            if words[:2] == ["alarm", "ack"] and more:
                continue
            code, out, err = ask(*words, *more)
            assert code == 0, err
            assert is_clean(out), (words, more)
            if more:
                orjson.loads(out)
            seen += out
    assert "\\x1b[31mred" in seen
    server.ask("DELETE", "/rules/bad")


def test_text_that_is_plain_stays_as_it_is() -> None:
    assert output.plain("Förderband 3\xa0m³/h 泵") == "Förderband 3\xa0m³/h 泵"
    assert output.plain("ü\x1b") == "ü\\x1b"
    assert output.plain("a\u202eb\u2028") == "a\\u202eb\\u2028"


def test_json_for_programs_is_the_same_document(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"a": NASTY + "ü泵😀\U000e0001\u2028", "b": [1.5, None, True]}
    output.as_json(body)
    out = capsys.readouterr().out
    assert is_clean(out)
    assert orjson.loads(out) == body


def test_texts_are_in_the_table_of_history(server: Inside) -> None:
    server.ingest("pump-2", mode="eco")
    assert '"eco"' in ask("history", "pump-2", "mode")[1]


def test_a_command_that_is_waited_for_tells_by_its_code(server: Inside) -> None:
    with server.device("pump-1") as device:
        device.answers = {
            "stop": b"",
            "setSpeed": b'{"status": "failed", "message": "\\u001b[31mno"}',
        }
        device.subscribe("devices/pump-1/commands/#")
        code, out, _ = ask("command", "send", "pump-1", "stop", "--wait")
        assert (code, out.split()[1]) == (0, "succeeded")
        code, out, _ = ask("command", "send", "pump-1", "setSpeed", "5", "--wait")
        assert (code, "failed: \\x1b[31mno" in out) == (3, True)
    code, out, _ = ask("command", "send", "pump-2", "stop", "--deadline", "0.2", "--wait")
    assert (code, out.split()[1]) == (3, "expired")
    assert ask("command", "send", "pump-2", "stop")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--dry-run", "--json", "pump-2", "setSpeed", "5"],
        ["pump-2", "--dry-run", "setSpeed", "--json", "5"],
        ["pump-2", "setSpeed", "--json", "--dry-run", "5"],
        ["pump-2", "setSpeed", "5", "--deadline", "9", "--dry-run", "--json"],
    ],
)
def test_arguments_and_options_of_a_command_come_in_any_order(
    words: list[str], server: Inside
) -> None:
    code, out, err = ask("command", "send", *words)
    assert (code, err) == (0, "")
    assert orjson.loads(out)["arguments"] == 5


@pytest.mark.parametrize("action", ["check", "put"])
def test_a_wrong_rule_is_shown_with_a_caret_under_the_mistake(
    action: str, server: Inside, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("- {id: cold, model: 'dtmi:test:Pump;1', when: temperature > 80 bar}\n")
    code, out, err = ask("rule", action, str(file))
    assert (code, out) == (1, "")
    first, text, caret, *_ = err.splitlines()
    assert first.endswith("column 15: 'bar' does not fit here: the other side is in °C")
    assert text[caret.index("^") :] == "80 bar"


@pytest.mark.parametrize(
    ("word", "entry", "wrong"),
    [
        ("rule", {"model": "dtmi:test:Pump;1", "when": "flow > 1000"}, {"when": "flow > > 1"}),
        (
            "derived",
            {"model": "dtmi:test:Pump;1", "property": "half", "formula": "flow / 2"},
            {"formula": "flow / nothing"},
        ),
        ("policy", {"who": {"roles": ["viewer"]}, "actions": ["read"]}, {"actions": ["fly"]}),
    ],
)
def test_documents_are_put_checked_listed_and_deleted_alike(
    word: str, entry: dict[str, Any], wrong: dict[str, Any], server: Inside, tmp_path: Path
) -> None:
    file = tmp_path / "entries.yaml"
    file.write_text(orjson.dumps([{"id": "alike", **entry}]).decode())
    key = {"rule": "rules", "derived": "derived", "policy": "policies"}[word]
    for action, stored in (("check", False), ("put", True)):
        code, out, err = ask(word, action, str(file), "--json")
        assert (code, err) == (0, "")
        assert [one["id"] for one in orjson.loads(out)["value"]] == ["alike"]
        assert ("alike" in ask(word, "list")[1]) == stored
    assert server.ask("GET", f"/{key}/alike")["id"] == "alike"
    assert orjson.loads(ask(word, "list", "--json")[1]) == server.ask("GET", f"/{key}")
    file.write_text(orjson.dumps({key: [{"id": "alike", **entry, **wrong}]}).decode())
    assert ask(word, "check", str(file))[0] == ask(word, "put", str(file))[0] == 1
    assert orjson.loads(ask(word, "delete", "alike", "--json")[1]) == {"id": "alike"}
    code, _, err = ask(word, "delete", "alike")
    assert (code, "alike" in err) == (1, True)


def test_rules_and_plants_go_in_and_out_as_files(server: Inside, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("- {id: cli, model: 'dtmi:test:Pump;1', when: flow > 1000}\n")
    assert ask("rule", "put", str(file)) == (0, "cli is live\n", "")
    file.write_text("rules: [{id: cli, model: 'dtmi:test:Pump;1', when: flow > }]")
    assert ask("rule", "put", str(file))[0] == 1
    code, out, _ = ask("export", str(tmp_path / "out"))
    assert (code, out.startswith("wrote ")) == (0, True)
    code, out, err = ask("import", str(tmp_path / "out" / "plant.yaml"))
    assert (code, out, err) == (0, "nothing to import: all of it is there already\n", "")
    assert ask("rule", "delete", "cli")[0] == 0
    (tmp_path / "file").write_text("")
    assert ask("export", str(tmp_path / "file"))[0] == 1


def test_a_token_made_in_the_folder_works_and_ends(server: Inside) -> None:
    code, secret, _ = ask("token", "create", "--role", "viewer", "--name", "me", "--days", "1")
    assert code == 0
    with server.client(secret.strip()) as client:
        assert client.get("/me").json()["name"] == "me"
    listed = orjson.loads(ask("token", "list", "--json")[1])["value"]
    key = next(t["id"] for t in listed if t["name"] == "me")
    assert ask("token", "delete", key)[0] == 0
    with server.client(secret.strip()) as client:
        until(lambda: client.get("/me").status_code == 401, "the token to end")
    assert ask("token", "create", "--role", "device")[0] == 1
    assert ask("token", "create", "--role", "viewer", "--days", "nan")[0] == 1
    assert ask("token", "create", "--role", "viewer", "--days", "-1")[0] == 1


def test_the_connection_of_a_token_that_ends_is_closed(server: Inside) -> None:
    made = ask("token", "create", "--role", "device", "--twin", "lathe", "--json")[1]
    token = orjson.loads(made)
    with server.device("lathe", token=token["token"]) as device:
        device.publish("devices/lathe/telemetry", b'{"speed": 1}')
        assert ask("token", "delete", token["id"])[0] == 0
        until(lambda: device.refused, "the connection to be closed, and no other let in")


def test_a_link_logs_in(server: Inside) -> None:
    code, out, _ = ask("link", "--role", "operator")
    assert code == 0
    with server.client() as client:
        answer = client.get(out.strip())
        assert answer.headers["location"] == "/app/overview"


def test_without_a_server_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = str(tmp_path / "none")
    for words in (["status"], ["link"]):
        code, out, err = gemel(*words, "--data", empty)
        assert (code, out, "gemel serve" in err) == (1, "", True)
    for words in (["check"], ["put"], ["backtest", "--from", "-1h"]):
        code, _, err = gemel("rule", *words, str(tmp_path / "none.yaml"), "--data", empty)
        assert (code, "there is no file" in err) == (1, True)
    for words in (["token", "list"], ["token", "delete", "x"]):
        code, _, err = gemel(*words, "--data", empty)
        assert (code, "there is no data in" in err) == (1, True)
    assert not (tmp_path / "none").exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "cannot reach"),
        ("nonsense", "cannot reach"),
        ("http://127.0.0.1:x", "cannot reach"),
        ("http://a b/", "cannot reach"),
        ("gopher://x", "cannot reach"),
    ],
)
def test_an_address_that_is_none(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_URL", url)
    monkeypatch.setenv("GEMEL_TOKEN", "gml_x")
    code, out, err = gemel("status")
    assert (code, out) == (1, "")
    assert said in err


def test_the_folders_token_goes_to_the_folders_server_alone(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("GEMEL_URL", f"http://127.0.0.1:{other.getsockname()[1]}")
        monkeypatch.delenv("GEMEL_TOKEN", raising=False)
        code, _, err = ask("status")
        assert (code, "set GEMEL_TOKEN" in err) == (1, True)
    monkeypatch.setenv("GEMEL_URL", server.url)
    monkeypatch.setenv("GEMEL_TOKEN", "gml_wrong")
    code, _, err = ask("status")
    assert (code, "token is not valid" in err) == (1, True)
    monkeypatch.setenv("GEMEL_URL", server.url + "/docs?")
    assert gemel("status")[0] == 1


def test_a_reader_that_leaves_early_is_no_error(server: Inside) -> None:
    environment = {**os.environ, "GEMEL_URL": server.url, "GEMEL_TOKEN": server.admin}
    command = f"'{sys.executable}' -m gemel twin show pump-1 --json | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        env=environment,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
