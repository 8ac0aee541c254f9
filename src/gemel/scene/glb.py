"""Reads binary glTF 2.0 (GLB) that somebody else made.

Bounded: whatever the bytes are, an error that names its place is the worst that comes of it.

Source:
    glTF 2.0 specification, Khronos Group (sections 3.6 and 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import orjson

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

MAGIC, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
MOST_JSON_BYTES = 4 << 20
MOST_ELEMENTS = 1_000_000
"""Values of one accessor; more than any shape within its limit of triangles can use."""
COMPONENTS: dict[int, np.dtype[Any]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
HINT = "export it again as binary glTF 2.0 (.glb)"


def refuse(place: str, words: str, hint: str = HINT) -> NoReturn:
    raise InvalidInput(f"{place}: {words}", hint=hint, code="GeometryInvalid")


class Glb:
    """The document of a file, and numbers of its binary part."""

    def __init__(self, document: Json, binary: bytes) -> None:
        self.document = document
        self.binary = binary
        self._lists: dict[str, list[Json]] = {}

    def entries(self, name: str) -> list[Json]:
        """One of the document's lists, such as `nodes`."""
        if name not in self._lists:
            found = self.document.get(name, [])
            if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
                refuse(name, "must be a list of objects")
            self._lists[name] = found
        return self._lists[name]

    def at(self, name: str, index: Any, place: str) -> Json:
        """An entry that is referred to by its number."""
        entries = self.entries(name)
        if not is_index(index) or index >= len(entries):
            refuse(place, f"there is no {name}[{str(index)[:40]}]")
        found: Json = entries[index]
        return found

    def width_and_count(self, index: Any, place: str) -> tuple[int, int]:
        accessor = self.at("accessors", index, place)
        width, count = WIDTHS.get(str(accessor.get("type")), 0), accessor.get("count")
        if not width or not isinstance(count, int) or not is_index(count) or count < 1:
            refuse(f"accessors[{index}]", "needs a type (SCALAR to VEC4) and a count above 0")
        return width, count

    def values(self, index: Any, place: str) -> F64:
        """An accessor as rows of numbers; integers that stand for fractions are made such."""
        accessor = self.at("accessors", index, place)
        name = f"accessors[{index}]"
        width, count = self.width_and_count(index, place)
        kind = COMPONENTS.get(_hashable(accessor.get("componentType")))
        if kind is None:
            refuse(name, "componentType is none of glTF's")
        if count > MOST_ELEMENTS:
            refuse(name, f"{count:,} values; at most {MOST_ELEMENTS:,}", "reduce the mesh")
        if "sparse" in accessor:
            refuse(name, "sparse accessors are not read", "export without morph targets")
        raw = self._rows(accessor, name, count, width * kind.itemsize)
        found = np.ascontiguousarray(raw).view(kind).astype(np.float64).reshape(count, width)
        if accessor.get("normalized") is True and kind.kind in "iu":
            found = np.maximum(found / float(np.iinfo(kind.str).max), -1.0)
        if not np.isfinite(found).all():
            refuse(name, "has numbers that are none (NaN or infinity)")
        return np.asarray(found, np.float64)

    def _rows(self, accessor: Json, name: str, count: int, size: int) -> np.ndarray[Any, Any]:
        """The bytes of each value, as rows of so many."""
        view = self.at("bufferViews", accessor.get("bufferView"), f"{name}.bufferView")
        place = f"bufferViews[{accessor['bufferView']}]"
        if not is_index(view.get("buffer")) or view["buffer"] != 0:
            refuse(place, "must lie in the binary part of the file (buffer 0)")
        start, length, stride = (
            view.get("byteOffset", 0),
            view.get("byteLength", 0),
            view.get("byteStride", size),
        )
        offset = accessor.get("byteOffset", 0)
        if not all(is_index(one) for one in (start, length, stride, offset)) or stride < size:
            refuse(place, "offsets, length and stride must be whole numbers that fit its values")
        needed = offset + stride * (count - 1) + size
        if needed > length or start + length > len(self.binary):
            refuse(name, "reaches beyond the end of its data", "the file is cut short or damaged")
        flat = np.frombuffer(self.binary, np.uint8, needed - offset, start + offset)
        return np.lib.stride_tricks.as_strided(flat, (count, size), (stride, 1), writeable=False)

    def view_bytes(self, index: Any, place: str) -> bytes:
        """The bytes of a buffer view, as an image has them."""
        view = self.at("bufferViews", index, place)
        start, length = view.get("byteOffset", 0), view.get("byteLength", 0)
        if not is_index(start) or not is_index(length) or start + length > len(self.binary):
            refuse(place, "reaches beyond the end of its data", "the file is cut short or damaged")
        return self.binary[start : start + length]


def read(content: bytes) -> Glb:
    """The two parts of a file.

    Raises:
        InvalidInput: it is none, or damaged.
    """
    if len(content) < 20 or content[:4] != b"glTF":
        refuse("the file", "is no binary glTF", "export as .glb; .gltf, .obj and .fbx are not read")
    _, version, length = struct.unpack_from("<III", content)
    if version != 2:
        refuse("the header", f"says version {version}; only 2 is read")
    if length > len(content):
        refuse(
            "the header", f"says {length:,} bytes, the file has {len(content):,}", "send it whole"
        )
    chunks = dict(_chunks(content[:length]))
    text = chunks.get(JSON_CHUNK)
    if text is None or len(text) > MOST_JSON_BYTES:
        refuse("the first chunk", f"must be JSON of at most {MOST_JSON_BYTES >> 20} MiB")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        refuse("the first chunk", f"is not JSON: {error}")
    if not isinstance(document, dict):
        refuse("the first chunk", "must be a JSON object")
    asset = document.get("asset")
    if not isinstance(asset, dict) or not str(asset.get("version", "")).startswith("2."):
        refuse("asset.version", "must be 2.0")
    return Glb(document, chunks.get(BINARY_CHUNK, b""))


def _chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 12
    for _ in range(2):
        if place + 8 > len(content):
            return
        size, kind = struct.unpack_from("<II", content, place)
        if place + 8 + size > len(content):
            refuse("a chunk", "is longer than the file", "send it whole")
        yield kind, content[place + 8 : place + 8 + size]
        place += 8 + size


def write(document: Json, binary: bytes) -> bytes:
    """The two parts as one file."""
    text = orjson.dumps(document)
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<II", len(text), JSON_CHUNK) + text
    if binary:
        chunks += struct.pack("<II", len(binary), BINARY_CHUNK) + binary
    return struct.pack("<III", MAGIC, 2, 12 + len(chunks)) + chunks


def is_index(value: Any) -> bool:
    """Whether a number may count or refer: a whole one, 0 or more, of at most 32 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32


def _hashable(value: Any) -> int:
    return value if is_index(value) else -1
