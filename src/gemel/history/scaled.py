"""Numbers as whole multiples of a power of ten: 20.13 is 2,013 hundredths, a time so many ms.

Most of what machines send has few digits. As small whole numbers it packs in half the time of the
doubles, and smaller. Odd ones among decimals (-0.0, text, a third) stand beside, as they are.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import F64, I32, I64
from gemel.core.errors import Damaged

HEAD = struct.Struct("<bBqI")  # power of ten, codec of the whole numbers, base, odd ones
SAMPLE = 24
ODD_ONES = 64
"""One of so many may be odd."""
MOST_DIGITS = 6
UNITS = (9, 6, 3, 0)
LARGEST = (1 << 31) - 1
NO_ROWS, NO_ODD = np.empty(0, np.int32), np.empty(0, np.float64)


class Scaled(NamedTuple):
    """Stands for (whole + base) * 10 ** power, but in odd rows for what stands beside."""

    power: int
    base: int
    whole: I32
    rows: I32 = NO_ROWS
    odd: F64 = NO_ODD

    def head(self, codec: int) -> bytes:
        """All but the whole numbers, which `codec` packs."""
        head = HEAD.pack(self.power, codec, self.base, len(self.rows))
        return head + self.rows.tobytes() + self.odd.tobytes()


def scaled(column: NDArray[Any]) -> Scaled | None:
    """Exactly these numbers, to the bit; None where that cannot be.

    Args:
        column: int64 or float64, not empty.
    """
    sample = column[:: max(1, len(column) // SAMPLE)]
    if column.dtype == np.float64:
        digits = _digits(sample)
        return None if digits is None else _decimals(column, digits)
    return _units(column, sample)


@np.errstate(invalid="ignore", over="ignore")
def _digits(sample: F64) -> int | None:
    """How many digits behind the point all but a few of a sample need."""
    for digits in range(MOST_DIGITS + 1):
        factor = 10.0**digits
        whole = np.rint(sample * factor)
        fits = (whole / factor == sample) & (np.abs(whole) <= LARGEST)
        if np.count_nonzero(fits) * 10 >= len(sample) * 9:
            return digits
    return None


@np.errstate(invalid="ignore", over="ignore")
def _decimals(column: F64, digits: int) -> Scaled | None:
    factor = 10.0**digits
    back = column * factor
    whole = np.rint(back, out=back).astype(np.int32)
    np.divide(whole, factor, out=back)
    differs = back.view(np.int64) != column.view(np.int64)
    if not differs.any():
        return Scaled(-digits, 0, whole)
    rows = np.flatnonzero(differs)
    if len(rows) * ODD_ONES > len(column):
        return None
    whole[rows] = 0
    whole[rows] = whole[rows - 1]
    return Scaled(-digits, 0, whole, rows.astype(np.int32), column[rows])


def _units(column: I64, sample: I64) -> Scaled | None:
    base = int(column[0])
    low, high = int(column.min()), int(column.max())
    for power in UNITS:
        unit = 10**power
        if base % unit or (sample % unit).any():
            continue
        if high - base > LARGEST * unit or base - low > LARGEST * unit:
            return None
        steps = column - base
        if unit > 1:
            whole = steps // unit
            if not np.array_equal(whole * unit, steps):
                continue
            steps = whole
        return Scaled(power, base // unit, steps.astype(np.int32))
    return None


def beside(data: bytes) -> tuple[Scaled, int, bytes]:
    """What `head` made, without the whole numbers; their codec and their bytes.

    Raises:
        Damaged: it is cut off.
    """
    if len(data) < HEAD.size:
        raise Damaged("a scaled column is cut off")
    power, codec, base, odd = HEAD.unpack_from(data)
    end = HEAD.size + 12 * odd
    if len(data) < end or abs(power) > max(UNITS):
        raise Damaged("a scaled column is cut off")
    rows = np.frombuffer(data, "<i4", odd, HEAD.size)
    values = np.frombuffer(data, "<f8", odd, HEAD.size + 4 * odd)
    return Scaled(power, base, NO_ROWS, rows, values), codec, data[end:]


def unscaled(found: Scaled, kind: np.dtype[Any]) -> NDArray[Any]:
    """The numbers again.

    Raises:
        Damaged: an odd one stands in a row that is not there.
    """
    if kind == np.float64:
        column = np.asarray(found.whole / 10.0**-found.power)
        if len(found.rows):
            if not 0 <= int(found.rows.min()) <= int(found.rows.max()) < len(column):
                raise Damaged("an odd number stands in a row that is not there")
            column[found.rows] = found.odd
        return column
    steps = found.whole.astype(np.int64)
    steps += found.base
    if found.power:
        steps *= 10**found.power
    return steps
