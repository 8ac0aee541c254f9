"""In the sandbox: one ONNX file, run by onnxruntime on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from gemel.core.document import Json
from gemel.services.foreign.sandbox import ONNX_FILE, Arrays, Beat

TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_,
    "tensor(int16)": np.int16, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8,
}  # fmt: skip
AT_ONCE = 4096
"""Rows in one call."""


class Onnx:
    """One ONNX file in a folder."""

    def __init__(self, folder: str, question: Json, pulse: Beat) -> None:
        del question
        self._pulse = pulse
        pulse.beat("load")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            (Path(folder) / ONNX_FILE).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = self._session.get_inputs()
        for one in self.inputs:
            if one.type not in TYPES:
                raise ValueError(
                    f"input '{one.name}' is {one.type}; inputs must be tensors of numbers"
                )

    def description(self) -> Json:
        """What it says of itself."""
        about = self._session.get_modelmeta()
        return {
            "format": "onnx",
            "version": str(about.version),
            "mode": "",
            "title": about.graph_name or "",
            "about": about.description or "",
            "tool": about.producer_name or "",
            "step": 0.0,
            "parameters": [],
            "inputs": [_quantity(one) for one in self.inputs],
            "states": [],
            "outputs": [_quantity(one) for one in self._session.get_outputs()],
        }

    def run(self, question: Json, arrays: Arrays) -> tuple[Json, Arrays]:
        """Outputs for inputs, row by row: a model made for one row is called for each."""
        del question
        feeds: Arrays = {one.name: arrays[one.name].astype(TYPES[one.type]) for one in self.inputs}
        rows = len(next(iter(feeds.values())))
        only_one = any(one.shape[:1] == [1] for one in self.inputs)
        size = 1 if only_one else AT_ONCE
        parts: list[list[Any]] = []
        for begin in range(0, rows, size):
            self._pulse.beat("run", float(begin))
            part = {name: feed[begin : begin + size] for name, feed in feeds.items()}
            parts.append([_numbers(found) for found in self._session.run(None, part)])
        names = [one.name for one in self._session.get_outputs()]
        found = {
            f"{i}/{name}": np.concatenate([part[i] for part in parts])
            for i, name in enumerate(names)
        }
        return {"names": names}, found


def _quantity(one: Any) -> Json:
    shape = [n if isinstance(n, int) else None for n in one.shape] if one.shape else []
    return {
        "name": one.name, "unit": "", "about": f"{one.type} {shape}", "value": 0.0, "low": None,
        "high": None, "isFitted": False, "shape": shape, "type": one.type,
    }  # fmt: skip


def _numbers(found: Any) -> Any:
    """An output as an array of numbers or of words; maps of classes become columns."""
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return np.array([[row[key] for key in found[0]] for row in found], np.float64)
    array = np.asarray(found)
    return array.astype(np.str_) if array.dtype == object else array
