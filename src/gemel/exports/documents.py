"""Any HTTP writer: lines of JSON, one a reading, by POST.

`{"twin", "property", "provenance"?, "value", "quality"?, "time"}`; `quality` is the byte, where it
is not good.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from gemel.core.batch import Batch
from gemel.core.errors import InvalidInput
from gemel.core.series import MEASURED, SeriesKey
from gemel.exports.names import Labels, Names
from gemel.exports.pieces import joined, moments, numbers, objects
from gemel.exports.post import Poster, authorization, refusal
from gemel.exports.settings import HttpExport, check_url
from gemel.exports.target import Refusal

UNFIT = frozenset({400, 413, 422})
QUALITY = objects([b"", *(b',"quality":%d' % code for code in range(1, 256))])


class HttpTarget:
    """One address."""

    def __init__(self, of: HttpExport, names: Names) -> None:
        place = check_url(of.http, "http")
        headers = {
            "Content-Type": "application/x-ndjson",
            **authorization(of.username, of.password, of.token, "Bearer"),
        }
        self._poster = Poster(place, place.path or "/", headers, gzip=of.gzip, ca=of.ca)
        self._names = names
        self._heads = Labels(names, head)

    def body(self, batch: Batch) -> bytes:
        """Cost: 0.6 us a reading."""
        values = numbers(batch.value)
        for row, text in batch.text.items():
            values[row] = text.encode("utf-8", "replace")
        columns = (
            self._heads.of(batch.series),
            values,
            QUALITY[batch.quality],
            b',"time":"',
            moments(batch.time),
            b'"}\n',
        )
        return joined(columns, len(batch))

    def check(self) -> None:
        """As `Target.check`; what it would say to readings only readings tell."""
        self._poster.check()

    def write(self, batch: Batch) -> Sequence[Refusal]:
        """As `Target.write`."""
        answer = self._poster.post(self.body(batch))
        if answer.is_taken:
            return []
        if answer.status in UNFIT:
            raise InvalidInput(f"{self._poster.shown} answered {answer.status}: {answer.text}")
        raise refusal(self._poster.shown, answer)

    def shown(self, series: int) -> str:
        return self._names.shown(series)

    def close(self) -> None:
        self._poster.close()


def head(key: SeriesKey) -> bytes:
    """A line up to its value."""
    said = {"twin": key.twin, "property": key.path}
    if key.provenance != MEASURED:
        said["provenance"] = key.provenance
    clean = {name: one.encode("utf-8", "replace").decode() for name, one in said.items()}
    return orjson.dumps(clean)[:-1] + b',"value":'
