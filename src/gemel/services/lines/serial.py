"""A serial line as a recursion over jobs, exact, for many variants and repetitions at once.

Job n leaves station j when it is finished there and there is a place behind:
`leave(n, j) = max(max(leave(n-1, j), leave(n, j-1)) + time(n, j), leave(n-1-b(j), j+1))`.
All variants see the same draws, so that their differences are of the change and not of chance.

Source: the recursion for production blocking in tandem lines, as in Buzacott and Shanthikumar,
Stochastic Models of Manufacturing Systems (1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.core.batch import F64
from gemel.services.lines.draws import Draws


@dataclass(frozen=True, slots=True)
class Variant:
    """A line with other places, or with stations that work faster."""

    buffers: tuple[int, ...]
    pace: tuple[float, ...]
    """By station, what its work and its stops are multiplied with."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each variant.

    Shapes: shares of time (variants, stations, repetitions), all else (variants, repetitions).
    """

    throughput: F64
    """Jobs a second, after the warm-up."""
    busy: F64
    down: F64
    blocked: F64
    starved: F64
    inside: F64
    """Mean number of jobs on the line."""
    stay: F64
    """Mean seconds of a job on the line."""


def simulate(draws: Draws, variants: Sequence[Variant], warmup: int = 0) -> Outcome:
    """Runs all jobs of the draws through every variant.

    Args:
        draws: of every job.
        variants: the lines to try.
        warmup: jobs that are not counted.

    Cost: a handful of numpy calls for each job and station, whatever the number of variants.
    """
    jobs, stations, repetitions = draws.work.shape
    width = len(variants) * repetitions
    pace = np.array([v.pace for v in variants]).T[:, :, None]
    work = (draws.work[:, :, None, :] * pace).reshape(jobs, stations, width)
    stops = (draws.stops[:, :, None, :] * pace).reshape(jobs, stations, width)
    places = np.repeat(np.array([v.buffers for v in variants]).T, repetitions, axis=1)
    leave, begin = _departures(work + stops, places)
    return _outcome((work, stops, begin, leave), (len(variants), repetitions), warmup)


def _departures(
    times: F64, places: np.ndarray[tuple[int, int], np.dtype[np.int64]]
) -> tuple[F64, F64]:
    """When each job leaves each station, and when work on it begins."""
    jobs, stations, width = times.shape
    leave, begin = np.zeros_like(times), np.zeros_like(times)
    columns = np.arange(width)
    before = np.zeros((stations, width))
    for n in range(jobs):
        arrived = np.zeros(width)
        for j in range(stations):
            start = np.maximum(before[j], arrived)
            begin[n, j] = start
            done = start + times[n, j]
            if j < stations - 1:
                earlier = n - 1 - places[j]
                freed = np.where(earlier >= 0, leave[earlier, j + 1, columns], 0.0)
                done = np.maximum(done, freed)
            leave[n, j] = done
            arrived = done
        before = leave[n]
    return leave, begin


def _outcome(found: tuple[F64, F64, F64, F64], shape: tuple[int, int], warmup: int) -> Outcome:
    work, stops, begin, leave = (part[warmup:] for part in found)
    jobs, stations, _ = work.shape
    start = found[3][warmup - 1, -1] if warmup else np.zeros(work.shape[2])
    span = leave[-1, -1] - start
    # A station is counted over its own span, from its last warm-up job to its last job.
    own = leave[-1] - (found[3][warmup - 1] if warmup else 0.0)
    blocked = (leave - begin - work - stops).sum(axis=0) / own
    busy, down = work.sum(axis=0) / own, stops.sum(axis=0) / own
    stay = (leave[:, -1] - begin[:, 0]).mean(axis=0)
    by_station = (stations, *shape)

    def shares(part: F64) -> F64:
        return part.reshape(by_station).swapaxes(0, 1)

    return Outcome(
        (jobs / span).reshape(shape),
        shares(busy),
        shares(down),
        shares(blocked),
        shares(1 - busy - down - blocked),
        (jobs / span * stay).reshape(shape),
        stay.reshape(shape),
    )
