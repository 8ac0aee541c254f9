"""npm's `oidc-provider`, a certified provider, as a process of its own for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import peers
from gemel.app.oidc_settings import Oidc

PACKAGE = "oidc-provider@9.13.3"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
SECRET = "se:cret/+ %"
AUDIENCE = "urn:gemel"
ROLES = {"plant-operators": "operator", "plant-writers": "engineer"}


class OidcPeer:
    """One provider: `ann` and `max` are operators, `eve` is nobody, and any password is right."""

    def __init__(self, errors: Path) -> None:
        packages, why_not = peers.npm(PACKAGE)
        if packages is None:
            pytest.skip(why_not)
        with errors.open("w") as sink:
            self.process = subprocess.Popen(
                ["node", str(SCRIPT), str(packages)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
            )
        port = self._line()
        assert port.isdigit(), errors.read_text()
        self.issuer = f"http://localhost:{port}"

    def settings(self) -> Oidc:
        return Oidc(
            issuer=self.issuer,
            client_id="gemel",
            client_secret=SECRET,
            audience=(AUDIENCE,),
            roles=ROLES,
            label="Plant account",
        )

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self._line() == "done"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
