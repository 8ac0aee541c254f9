"""A server with the small plant, for all tests of PromQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.inside import Inside, inside
from promql.plant import fill


@pytest.fixture(scope="package")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("promql") / "data") as found:
        fill(found)
        yield found
