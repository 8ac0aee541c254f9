"""The far side of a sandbox: `python -m gemel.services.foreign.child PULSE MEMORY FOLDER`.

It answers packed questions on standard input, one at a time, and ends with it. The libraries that
a model needs are loaded first, then all that is not needed is taken away, then the model is loaded.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import Any, BinaryIO

import numpy as np

from gemel.core.document import Json
from gemel.services.foreign.confine import confine
from gemel.services.foreign.sandbox import CALLS, LENGTH, PULSE, Arrays
from gemel.services.packing import pack, unpack


class Pulse:
    """Tells the other side which call into the model is under way."""

    def __init__(self, number: int) -> None:
        self._map = mmap.mmap(number, mmap.PAGESIZE)
        self._count = 0

    def beat(self, call: str, time: float = 0.0) -> None:
        self._count += 1
        PULSE.pack_into(self._map, 0, self._count, CALLS.index(call), time)


def main(number: int, memory_mb: int, folder: str) -> int:
    """Answers until standard input ends."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what models print is no answer
    questions = sys.stdin.buffer
    pulse = Pulse(number)
    formats = _formats(folder)
    _send(channel, {"protections": confine(memory_mb, [folder])}, {})
    model: Any = None
    while head := questions.read(LENGTH.size):
        question, arrays = unpack(questions.read(LENGTH.unpack(head)[0]))
        try:
            if question["ask"] == "open":
                if formats is None:
                    raise ModuleNotFoundError
                model = formats(folder, question, pulse)
                _send(channel, model.description(), {})
            else:
                _send(channel, *model.run(question, arrays))
        except ModuleNotFoundError as error:
            what = f"needs {error.name or 'a library'}, which is not installed"
            hint = "pip install gemel[models]"
            _send(channel, {"error": what, "hint": hint, "isMissing": True}, {})
        except MemoryError:
            _send(channel, {"error": f"needed more than {memory_mb} MB"}, {})
        except Exception as error:  # noqa: BLE001 - whatever a model does, the other side is told
            text = str(error) or type(error).__name__
            _send(channel, {"error": text[:2000]}, {})
    return 0


def _formats(folder: str) -> Any:
    """What opens the folder's model; imported before anything is taken away."""
    try:
        if os.path.exists(os.path.join(folder, "modelDescription.xml")):
            from gemel.services.foreign.fmu import Fmu

            return Fmu
        from gemel.services.foreign.onnx import Onnx
    except ModuleNotFoundError:
        return None
    return Onnx


def _send(channel: BinaryIO, document: Json, arrays: Arrays) -> None:
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    data = pack(document, plain)
    channel.write(LENGTH.pack(len(data)) + data)
    channel.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
