"""`[oidc]` of the settings: from the file and the environment, and what is said of a mistake."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from gemel.app.config import Config, load
from gemel.app.oidc_settings import Oidc
from gemel.app.platform import Platform
from gemel.core.errors import ConfigInvalid

GOOD = """
[oidc]
issuer = "https://login.plant.example/realms/plant"
client_id = "gemel"
audience = ["gemel"]
[oidc.roles]
"plant-operators" = "operator"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "gemel.toml"
    file.write_text(text, "utf-8")
    return file


def test_the_table_is_read(tmp_path: Path) -> None:
    found = load(write(tmp_path, GOOD), {}, {}).oidc
    assert found.is_on
    assert found.roles == {"plant-operators": "operator"}
    assert found.audience == ("gemel",)
    assert found.scopes == ("openid", "profile", "email")
    assert not load(write(tmp_path, ""), {}, {}).oidc.is_on
    assert not load(write(tmp_path, "[oidc]\n"), {}, {}).oidc.is_on


def test_the_environment_wins(tmp_path: Path) -> None:
    variables = {
        "GEMEL_OIDC_CLIENT_SECRET": "from outside",
        "GEMEL_OIDC_SCOPES": "openid roles",
        "GEMEL_OIDC_ISSUER": "https://other.example",
    }
    found = load(write(tmp_path, GOOD), variables, {}).oidc
    assert (found.secret(), found.scopes) == ("from outside", ("openid", "roles"))
    assert found.issuer == "https://other.example"
    assert "from outside" not in repr(found)


def test_the_secret_of_a_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first\n")
    text = GOOD.replace("client_id", f'client_secret_file = "{file}"\nclient_id')
    found = load(write(tmp_path, text), {}, {}).oidc
    assert found.secret() == "first"
    file.write_text("second")
    assert found.secret() == "second"
    for wrong in (b"", b" \n", b"\xff"):
        file.write_bytes(wrong)
        with pytest.raises(ConfigInvalid, match="client_secret_file"):
            load(write(tmp_path, text), {}, {})
    file.unlink()
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        found.secret()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("client_id", "clientid", "line 4: there is no setting 'clientid'"),
        ('audience = ["gemel"]', 'audience = "gemel"', "line 5: audience must be a list"),
        ('client_id = "gemel"', "client_id = 5", "line 4: client_id must be a text"),
        ('"operator"', '"boss"', "line 6: roles: 'plant-operators' gets 'boss'"),
        ('"operator"', '"device"', "devices have tokens of their own"),
        ('"operator"', "5", "gets 5"),
        ('"plant-operators" = "operator"', "", "'roles' is missing"),
        ('client_id = "gemel"', "", "'client_id' is missing"),
        ('issuer = "https', 'issuer = "http', "'issuer' must be an address with https://"),
        ('issuer = "https://', 'issuer = "https://u:p@', "'issuer' must be an address"),
        ('issuer = "https://login.plant.example', 'issuer = "https://', "'issuer' must be"),
        ('issuer = "https://login', 'issuer = "https://[login', "'issuer' must be"),
        ("client_id", 'page = "https://x/app"\nclient_id', "'page' must have no path"),
        ("client_id", 'page = "x"\nclient_id', "'page' must be an address"),
        ("client_id", 'scopes = ["email"]\nclient_id', "must name openid"),
        ('audience = ["gemel"]', 'audience = ["gemel", ""]', "'audience' holds an empty text"),
        ("client_id", 'ca = "/none.pem"\nclient_id', "'ca': there is no file"),
        ("client_id", 'label = "' + "x" * 41 + '"\nclient_id', "'label' must be"),
        ("client_id", 'client_secret = "a"\nclient_secret_file = "b"\nclient_id', "say it once"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, why: str, tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(ConfigInvalid) as caught:
        load(write(tmp_path, GOOD.replace(old, new, 1)), {}, {})
    assert why in str(caught.value)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    for text in ("oidc = 5", 'oidc = "x"', "[[oidc]]\nissuer = 'x'"):
        with pytest.raises(ConfigInvalid, match="oidc must be a table"):
            load(write(tmp_path, text), {}, {})
    with pytest.raises(ConfigInvalid, match="roles must be a table"):
        load(write(tmp_path, GOOD.split("[oidc.roles]")[0] + "roles = 5"), {}, {})


def test_this_machine_needs_no_tls(tmp_path: Path) -> None:
    for host in ("127.0.0.1:5", "localhost", "[::1]:5"):
        text = GOOD.replace("https://login.plant.example", f"http://{host}")
        assert load(write(tmp_path, text), {}, {}).oidc.is_on


def test_a_missing_library_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "gemel.app.oidc":
            raise ModuleNotFoundError("No module named 'joserfc'", name="joserfc")
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    settings = Oidc(issuer="https://x", client_id="g", roles={"a": "viewer"})
    config = Config(data=str(tmp_path / "data"), oidc=settings)
    with pytest.raises(ConfigInvalid, match=r"joserfc.*pip install 'gemel\[oidc\]'"):
        Platform(config)


def test_authorities_that_are_none_are_told(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    settings = Oidc(issuer="https://x", client_id="g", roles={"a": "viewer"}, ca=str(file))
    with pytest.raises(ConfigInvalid, match="PEM file with certificates"):
        Platform(Config(data=str(tmp_path / "data"), oidc=settings))
