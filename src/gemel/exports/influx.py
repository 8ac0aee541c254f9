"""InfluxDB: `/write` of version 1, `/api/v2/write` of version 2.

It takes a batch in part where some of it does not fit: a field that has another type already, a
time beyond its retention. It names one cause, counts the lines it dropped, and drops what stands
beside it on the same lines. So such a batch is sent once more, a line a reading, and the series of
that field go by themselves from then on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode

import numpy as np

from gemel.core.batch import Batch
from gemel.core.errors import InvalidInput
from gemel.exports.lines import Lines, field, with_value
from gemel.exports.names import Names
from gemel.exports.post import Answer, Poster, authorization, refusal
from gemel.exports.settings import InfluxExport, check_url
from gemel.exports.target import Refusal

CONFLICT = re.compile(r'input field \\?"(.*?)\\?" on measurement .*? is type (\w+)')
DROPPED = re.compile(r"dropped=(\d+)")
UNFIT = frozenset({400, 413, 422})
MOST_NAMED = 3
NO_VALUE = "line protocol cannot tell of readings without a value"


class InfluxTarget:
    """One database or bucket."""

    def __init__(self, of: InfluxExport, names: Names) -> None:
        place = check_url(of.influx, "influx")
        if of.bucket:
            path, query = "/api/v2/write", {"bucket": of.bucket, "org": of.org}
        else:
            path, query = "/write", {"db": of.database, "rp": of.retention_policy}
        query = {name: value for name, value in {**query, "precision": "ns"}.items() if value}
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            **authorization(of.username, of.password, of.token, "Token"),
        }
        whole = f"{place.path.rstrip('/')}{path}?{urlencode(query)}"
        self._poster = Poster(place, whole, headers, gzip=of.gzip, ca=of.ca)
        self._names = names
        self._lines = Lines(names, of.measurement)
        self._alone: set[int] = set()
        """Series of fields that were in conflict: what is refused takes none along."""

    def check(self) -> None:
        """As `Target.check`: a write without lines, which some versions find wrong."""
        answer = self._poster.post(b"")
        if not answer.is_taken and answer.status not in UNFIT:
            raise refusal(self._poster.shown, answer)

    def write(self, batch: Batch) -> Sequence[Refusal]:
        """As `Target.write`."""
        full = with_value(batch)
        refused = [Refusal(len(batch) - len(full), NO_VALUE)] if len(full) < len(batch) else []
        if not self._alone:
            return [*refused, *self._together(full)]
        is_alone = np.isin(full.series, np.fromiter(self._alone, np.int32, len(self._alone)))
        rest = full.take(np.flatnonzero(~is_alone))
        alone = full.take(np.flatnonzero(is_alone))
        return [*refused, *self._together(rest), *self._apart(alone)]

    def _together(self, batch: Batch) -> list[Refusal]:
        answer = self._answer(self._lines.body(batch))
        if answer is None:
            return []
        self._alone |= self._conflicting(batch, answer)
        return self._apart(batch)

    def _apart(self, batch: Batch) -> list[Refusal]:
        answer = self._answer(self._lines.body(batch, is_apart=True))
        if answer is None:
            return []
        found = DROPPED.search(answer.text)
        shown = [self._names.shown(one) for one in sorted(self._conflicting(batch, answer))]
        more = f" and {len(shown) - MOST_NAMED} more" if len(shown) > MOST_NAMED else ""
        where = ", ".join(shown[:MOST_NAMED]) + more or self._poster.shown
        return [Refusal(int(found[1]) if found else 1, f"{where}: {answer.text}")]

    def _answer(self, body: bytes) -> Answer | None:
        """None where all was taken, the answer where some was."""
        if not body:
            return None
        answer = self._poster.post(body)
        if answer.is_taken:
            return None
        if "partial write" in answer.text:
            return answer
        if answer.status in UNFIT:
            raise InvalidInput(f"{self._poster.shown} answered {answer.status}: {answer.text}")
        raise refusal(self._poster.shown, answer)

    def _conflicting(self, batch: Batch, answer: Answer) -> set[int]:
        """The series whose field has another type there."""
        conflict = CONFLICT.search(answer.text)
        if conflict is None:
            return set()
        texts = set(batch.series[list(batch.text)].tolist())
        return {
            one
            for one in np.unique(batch.series).tolist()
            if field(self._names[one].path) == conflict[1]
            and (one in texts) == (conflict[2] == "string")
        }

    def shown(self, series: int) -> str:
        return self._names.shown(series)

    def close(self) -> None:
        self._poster.close()
