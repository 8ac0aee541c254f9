"""Compares pictures of pages so that the comparison holds on any machine.

A pixel is as it was when each channel lies within what the 3 x 3 pixels around it had, in the other
picture, widened by a little, and by a part of how far those 3 x 3 lie apart; and so both ways. Flat
colours are thus compared nearly exactly, and the edges of letters and lines, which each version of
a browser softens in its own way, by what they can be. A shift of one pixel passes here, and a small
change of a letter's colour; the boxes and colours of what is read (`outline.py`) see those.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom; the last two are outside."""

SLACK = 3
"""Of 255, in a channel."""
EDGE_SLACK = 0.75
"""Of the contrast around a pixel."""
SCENE_SLACK = 14
"""The same where a scene is drawn: light on bodies is rounded by the machine's own arithmetic."""
MOST = 100
"""Pixels in all that may be otherwise."""
TILE = 32


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was."""

    pixels: int
    where: NDArray[np.bool_]

    @property
    def is_none(self) -> bool:
        return self.pixels <= MOST

    def boxes(self) -> list[tuple[Box, int]]:
        """The places with the most different pixels, the worst first."""
        found = []
        height, width = self.where.shape
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                box = (left, top, min(left + TILE, width), min(top + TILE, height))
                count = int(self.where[top : box[3], left : box[2]].sum())
                if count:
                    found.append((box, count))
        return sorted(found, key=lambda one: -one[1])


def pixels_of(picture: bytes | Path) -> Pixels:
    """Shapes: (height, width, 3)."""
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
        return np.asarray(opened.convert("RGB"))


def keep(pixels: Pixels, file: Path) -> None:
    """Without loss; a third of what PNG takes."""
    Image.fromarray(pixels).save(file, lossless=True, quality=80, method=4)


def difference(was: Pixels, now: Pixels, scenes: tuple[Box, ...] = ()) -> Difference:
    """What differs between two pictures; pictures of two sizes differ everywhere.

    Args:
        was: the picture that is kept.
        now: the page as it is.
        scenes: where WebGL draws.
    """
    if was.shape != now.shape:
        return Difference(int(now[..., 0].size), np.ones(now.shape[:2], bool))
    slack = np.full(was.shape[:2], SLACK, np.int16)
    for left, top, right, bottom in scenes:
        slack[top:bottom, left:right] = SCENE_SLACK
    where = np.zeros(was.shape[:2], bool)
    rows = np.flatnonzero((was != now).any(axis=(1, 2)))
    if rows.size:
        # Two rows more than differ: those are what the differing ones are compared with.
        first, end = max(0, int(rows[0]) - 2), int(rows[-1]) + 3
        a, b, some = was[first:end], now[first:end], slack[first:end]
        where[first:end] = _outside(a, b, some) | _outside(b, a, some)
    return Difference(int(where.sum()), where)


def _outside(a: Pixels, b: Pixels, slack: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Where `a` is not within what surrounds the same place in `b`."""
    low = _around(b, np.minimum).astype(np.int16)
    high = _around(b, np.maximum).astype(np.int16)
    room = slack[..., None] + ((high - low) * EDGE_SLACK).astype(np.int16)
    wide = a.astype(np.int16)
    return ((wide < low - room) | (wide > high + room)).any(axis=2)  # type: ignore[no-any-return]


def _around(b: Pixels, best: np.ufunc) -> Pixels:
    """The least or the greatest of each 3 x 3 pixels."""
    wide = np.pad(b, ((0, 0), (1, 1), (0, 0)), mode="edge")
    line = best(best(wide[:, :-2], wide[:, 1:-1]), wide[:, 2:])
    tall = np.pad(line, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return best(best(tall[:-2], tall[1:-1]), tall[2:])  # type: ignore[no-any-return]


def marked(now: Pixels, found: Difference) -> Pixels:
    """The page, pale, with what differs in red."""
    pale = (now.astype(np.uint16) // 3 + 150).astype(np.uint8)
    pale[found.where] = (220, 0, 0)
    return pale
