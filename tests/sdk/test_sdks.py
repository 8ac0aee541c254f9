"""The official Azure Digital Twins SDKs against the real server: Python's own suite, JavaScript."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import peers
from running import Running

HERE = Path(__file__).parent
PYTHON_SDK = "azure-digitaltwins-core==1.3.0"
JS_SDK = "@azure/digital-twins-core@1.1.0"

OPTIONS = ("-q", "--tb=short", "--rootdir", "tests", "-o", "asyncio_mode=auto")
OPTIONS += ("-W", "ignore::DeprecationWarning")  # it uses what newer versions of Python deprecate
OPTIONS += ("-p", "against_gemel", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider")

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("sdk") / "data", "--tls") as running:
        yield running


@pytest.fixture(scope="module")
def python_sdk() -> tuple[Path, Path]:
    """The folders of what the suite needs, and of the suite."""
    needed, why_not = peers.pip("azure-digitaltwins", PYTHON_SDK, "aiohttp", "pytest-asyncio<1")
    if needed is None:
        pytest.skip(why_not)
    suite, why_not = peers.source(PYTHON_SDK)
    if suite is None:
        pytest.skip(why_not)
    return needed, suite


def outcome(sdk: tuple[Path, Path], server: Running, *what: str) -> tuple[int, str]:
    """How many tests of the suite passed, and what it printed at the end."""
    needed, suite = sdk
    authority = str(server.data / "tls/authority.pem")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, *what],
        cwd=suite,
        env={
            **os.environ,
            "PYTHONPATH": f"{HERE / 'shim'}:{needed}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "AZURE_DIGITALTWINS_URL": server.url,
            "ADT_TOKEN": server.token,
            "REQUESTS_CA_BUNDLE": authority,
            "SSL_CERT_FILE": authority,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip()[-3000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", last)
    return (int(passed[1]) if passed and done.returncode == 0 else 0), last


def test_the_suite_of_the_python_sdk_passes_over_https(
    python_sdk: tuple[Path, Path], secure: Running
) -> None:
    passed, last = outcome(python_sdk, secure, "tests")
    assert passed == 172, last


def test_its_synchronous_twins_and_models_pass_over_http(
    python_sdk: tuple[Path, Path], tmp_path: Path
) -> None:
    with Running(tmp_path / "data") as plain:
        what = ("tests/test_digital_twins.py", "tests/test_models.py")
        passed, last = outcome(python_sdk, plain, *what)
    assert passed >= 40, last


def test_the_javascript_sdk_does_all_its_jobs(secure: Running) -> None:
    folder, why_not = peers.npm(JS_SDK)
    if folder is None:
        pytest.skip(why_not)
    done = subprocess.run(
        ["node", str(HERE / "digital_twins.mjs"), str(folder), secure.url, secure.token],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(secure.data / "tls/authority.pem")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(json.loads(done.stdout)) == 9
