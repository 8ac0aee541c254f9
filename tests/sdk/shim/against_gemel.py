"""A pytest plugin: the fixtures that the tests of the Azure SDK expect around them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


class Environment(dict[str, str]):
    def sanitize_batch(self, values: object) -> None:
        pass

    def get(self, name: str, default: object = None) -> str:
        return os.environ[name]


@pytest.fixture
def recorded_test() -> Iterator[None]:
    return


@pytest.fixture(scope="session")
def test_proxy() -> Iterator[None]:
    return


@pytest.fixture(scope="session")
def environment_variables() -> Environment:
    return Environment()
