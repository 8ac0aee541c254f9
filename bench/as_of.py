"""Questions as of last week beside the same questions now, over many twins.

    scripts/bench as_of [--twins 100000] [--edited 10000]

Twins and edits lie in SQLite, three readings of each twin in the history, as the platform has them.
Times are wall times in this process; "first" is the first question of a moment, which looks up what
was edited since and the readings that it needs; "again" the same moment later on.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "bench")]

from against.rows import parser, tell  # noqa: E402
from graph import CHUNK, repeated  # noqa: E402
from query import MODELS, twin_edit  # noqa: E402

from gemel.app.past import Moment, last_at  # noqa: E402
from gemel.backends import past as store  # noqa: E402
from gemel.backends.sqlite import SqliteDocuments  # noqa: E402
from gemel.core.batch import Batch  # noqa: E402
from gemel.core.document import Edit  # noqa: E402
from gemel.core.series import SeriesTable  # noqa: E402
from gemel.history import History  # noqa: E402
from gemel.twins.graph import Graph  # noqa: E402
from gemel.twins.past import KINDS, Past  # noqa: E402
from gemel.twins.query.reading import Live, Places, Reader  # noqa: E402
from gemel.twins.query.run import Engine, answer  # noqa: E402
from gemel.twins.recalled import Recalled  # noqa: E402
from gemel.twins.records import make_twin  # noqa: E402
from gemel.twins.state import State  # noqa: E402

WEEK = 7 * 86_400 * 10**9
NOW = 1_800_000_000 * 10**9
THEN = NOW - WEEK
Row = dict[str, Any]
PROPERTY = "SELECT * FROM DIGITALTWINS T WHERE T.speed > 99 AND T.area = 'area-7'"
TELEMETRY = "SELECT T.$dtId, T.flow FROM DIGITALTWINS T WHERE T.flow > 99"
GROUPED = "SELECT T.area, COUNT() AS n FROM DIGITALTWINS T GROUP BY T.area"


class Plant:
    """What the platform has of a plant, without its loop."""

    def __init__(self, folder: Path, count: int, edited: int) -> None:
        chance = random.Random(1)
        self.path = folder / "documents.sqlite"
        self.graph, self.series, self.state = Graph(), SeriesTable(), State()
        documents = SqliteDocuments(self.path)
        models = [{**m, "decommissioned": False, "uploadTime": ""} for m in MODELS]
        edits = [Edit("model", m["@id"], m, THEN - WEEK, "bench") for m in models]
        made = [twin_edit(n, round(chance.random() * 100, 2)) for n in range(count)]
        edits += [replace(edit, time=THEN - WEEK) for edit in made]
        later = [twin_edit(chance.randrange(count), 99.5) for _ in range(edited)]
        edits += [replace(edit, time=THEN + WEEK // 2) for edit in later]
        for start in range(0, len(edits), CHUNK):
            documents.commit(edits[start : start + CHUNK])
            self.graph.apply(edits[start : start + CHUNK])
        documents.close()
        numbers = np.array([self.series.id(e.key, "flow") for e in made], np.int32)
        self.history = History(folder / "history", self.series)
        random_values = np.random.default_rng(1)
        for at in (THEN - WEEK // 2, THEN - WEEK // 4, THEN + WEEK // 2):
            batch = Batch(
                numbers,
                np.full(count, at, np.int64),
                random_values.random(count) * 100,
                np.zeros(count, np.uint8),
                at,
            )
            self.history.append(batch)
            self.state.apply(batch)
        self.history.seal()
        self.engine = Engine(self.graph, Live(self.series, self.state))

    def then(self) -> Engine:
        """As `Moments.then` makes it."""
        moment = Moment(THEN)
        past = Past(self.graph, THEN)
        past.take(store.edited_since(self.path, KINDS, THEN))
        values = Recalled(last_at(self.history, self.state, moment), THEN)
        return Engine(past, Live(self.series, values), nearby=self.engine)

    def one(self, twin_id: str) -> None:
        """As `Moments.twin` makes it."""
        (was,) = store.at(self.path, [("twin", twin_id)], THEN)
        twin = make_twin(twin_id, was.doc or {}, was.etag)
        values = Recalled(last_at(self.history, self.state, Moment(THEN)), THEN)
        Reader(self.graph, Live(self.series, values), Places(self.graph)).view(twin)


def timed(work: Callable[[], object]) -> Row:
    began = time.perf_counter()
    work()
    return {"ms": round((time.perf_counter() - began) * 1000, 1)}


def measured(plant: Plant, count: int) -> Iterator[Row]:
    for measure, text in (("property", PROPERTY), ("telemetry", TELEMETRY), ("grouped", GROUPED)):
        now = repeated(lambda text=text: answer(plant.engine.run(text)), 30)
        yield {"name": f"{measure} query now", **now}
        yield {
            "name": f"{measure} query as of, first",
            **timed(lambda text=text: _ask(plant, text)),
        }
        then = plant.then()
        again = repeated(lambda then=then, text=text: answer(then.run(text)), 30)
        ratio = round(again["p50_ms"] / now["p50_ms"], 2)
        yield {"name": f"{measure} query as of, again", **again, "times_now": ratio}
    chance = random.Random(2)
    one = repeated(lambda: plant.one(f"pump-{chance.randrange(count):06d}"), 200)
    yield {"name": "one twin as of", **one}


def _ask(plant: Plant, text: str) -> None:
    answer(plant.then().run(text))


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--twins", type=int, default=100_000)
    made.add_argument("--edited", type=int, default=10_000, help="since the moment")
    arguments = made.parse_args()
    with tempfile.TemporaryDirectory(prefix="gemel-as-of-") as folder:
        plant = Plant(Path(folder), arguments.twins, arguments.edited)
        tell(measured(plant, arguments.twins), arguments.json)
        plant.history.close()


if __name__ == "__main__":
    main()
