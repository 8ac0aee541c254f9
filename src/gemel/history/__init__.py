"""Readings on disk: a log that is durable first, memory over it, sealed compressed segments.

Reading order: `history` (the face), `record` and `payload` (the log's bytes), `writer` (the group
commit), `memory`, `table` (columns, order, duplicates), `gather`, `scaled`, `codec`, `block`,
`blockfile`, `index` and `segment` (sealed files), `rollup`, `rollfile`, `rolling` and `coarse`
(minutes and hours), `keep`, `sealer` and `compaction` (from log to segment to larger segment),
`query` and `newest`, `followers` and `follow` (other processes that copy it out), then the small
ones: `checkpoints`, `rejects`, `names`, `files`, `damage`.
The bytes: docs/formats/history.md.
"""

from gemel.history.damage import Damage
from gemel.history.follow import Follower
from gemel.history.followers import Followers, Position, is_at_end
from gemel.history.history import History
from gemel.history.keep import Keep
from gemel.history.newest import Newest
from gemel.history.statistics import Statistics

__all__ = [
    "Damage",
    "Follower",
    "Followers",
    "History",
    "Keep",
    "Newest",
    "Position",
    "Statistics",
    "is_at_end",
]
