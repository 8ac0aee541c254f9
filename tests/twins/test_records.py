from __future__ import annotations

import pytest

from gemel.core.clock import LAST, SECOND
from gemel.twins.records import value_time


@pytest.mark.parametrize(
    ("metadata", "time"),
    [
        ({"sourceTime": "1970-01-01T00:00:05Z", "lastUpdateTime": "x"}, 5 * SECOND),
        ({"lastUpdateTime": "1970-01-01T00:00:07Z"}, 7 * SECOND),
        ({"sourceTime": "soon"}, 0),
        ({"sourceTime": "9999-12-31T23:59:59Z"}, LAST),
        ({}, 0),
        (None, 0),
    ],
)
def test_the_time_of_a_stored_value_fits_64_bits(metadata: object, time: int) -> None:
    assert value_time(metadata) == time
