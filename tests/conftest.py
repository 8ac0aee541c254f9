"""What all tests share: where the shared data is, and that CI skips none of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import object_stores
from running import SMALL_BALLAST, Running

SHARED = Path(__file__).parents[2] / "shared"
IN_CI = os.environ.get("CI") == "true"

os.environ["GEMEL_BALLAST"] = str(SMALL_BALLAST)

# CI judges a change by examples that follow from the tests alone; everywhere else each run looks
# for new ones. Nowhere is one judged by how long it took.
hypothesis.settings.register_profile(
    "ours",
    deadline=None,
    derandomize=IN_CI,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ours")


@pytest.fixture(scope="session")
def shared() -> Path:
    return SHARED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacks = {
        "shared": None if SHARED.is_dir() else "the shared data is not beside this checkout",
        "peer": None
        if shutil.which("mosquitto_pub") and _has("mosquitto") and _has("coap-client-notls")
        else "mosquitto, mosquitto-clients or libcoap3-bin is not installed",
        "prometheus": None
        if shutil.which("prometheus") and shutil.which("promtool")
        else "prometheus is not installed",
        "browser": None if shutil.which("chromium") else "chromium is not installed",
    }
    for item in items:
        for name, reason in lacks.items():
            if reason and item.get_closest_marker(name) and not IN_CI:
                item.add_marker(pytest.mark.skip(reason=reason))


def _has(program: str) -> bool:
    return bool(shutil.which(program) or Path("/usr/sbin", program).exists())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A running server on an empty folder."""
    with Running(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="session")
def s3_store() -> Iterator[object_stores.Store]:
    with object_stores.s3() as found:
        yield found


@pytest.fixture(scope="session")
def azure_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_stores.Store]:
    with object_stores.azure(tmp_path_factory.mktemp("azurite")) as found:
        yield found
