"""A user's own shape: what is wrong with a GLB file, and the grey mesh that the plant draws of it.

Everything in the plant is grey until it is abnormal, so a file gives its form and how light or
dark its materials are; its colours and pictures are not drawn. The form comes whole and plain,
like a kind's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gemel.core.batch import F64
from gemel.core.document import Json
from gemel.core.errors import TooLarge
from gemel.scene.flatten import Flat, Flattener, plain_form
from gemel.scene.glb import Glb, read, refuse, write

MOST_BYTES = 16 << 20
MOST_TRIANGLES = 100_000
MANY_TRIANGLES = 20_000
"""As many as a kind of ours may have; above them a shape is drawn whole only where few are near."""
MOST_NODES = 10_000
MOST_IMAGES = 64
LARGEST_IMAGE = 4096
LARGEST, SMALLEST = 1000.0, 0.01
"""Metres of its longest side."""
EXTENSIONS: Final = frozenset({"KHR_mesh_quantization", "KHR_texture_transform"})
HARMLESS: Final = ("KHR_materials_", "KHR_lights_", "KHR_xmp", "EXT_texture_", "KHR_texture_")
"""They change how light falls or what pictures show, never the form."""
COMPRESSED: Final = {
    "KHR_draco_mesh_compression": "export without Draco compression",
    "EXT_meshopt_compression": "export without meshopt compression",
    "KHR_meshopt_compression": "export without meshopt compression",
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a file holds, in numbers, with notes on what of it is not drawn."""

    whole: Flat
    plain: Flat
    nodes: int
    materials: int
    images: int
    notes: list[str] = field(default_factory=list)

    def facts(self) -> Json:
        low, high = self.whole.bounds()
        return {
            "triangles": self.whole.triangles,
            "plainTriangles": self.plain.triangles,
            "vertices": len(self.whole.positions),
            "nodes": self.nodes,
            "materials": self.materials,
            "images": self.images,
            "size": [round(float(v), 3) for v in high - low],
            "notes": self.notes,
        }


def open_geometry(content: bytes) -> Geometry:
    """A file as the plant draws it.

    Raises:
        InvalidInput: it cannot be drawn; names the place, the rule and the way out.
        TooLarge: more bytes than `MOST_BYTES`.
    """
    if len(content) > MOST_BYTES:
        raise TooLarge(
            f"the file has {len(content):,} bytes; at most {MOST_BYTES:,}",
            hint="leave pictures out and reduce the mesh",
        )
    glb = read(content)
    try:
        notes = [*_extensions(glb), *_buffers(glb), *_images(glb)]
        flattener = Flattener(glb, MOST_TRIANGLES, MOST_NODES)
        whole = flattener.flat()
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        refuse("the file", f"breaks the form of glTF ({error})")
    notes += [*flattener.notes(), *_unused(glb), *_extent(whole)]
    return Geometry(
        whole,
        plain_form(whole),
        len(glb.entries("nodes")),
        len(glb.entries("materials")),
        len(glb.entries("images")),
        notes,
    )


def packed(geometry: Geometry, name: str = "") -> bytes:
    """Both forms as one GLB with two meshes, `whole` and `plain`: what the page reads.

    Each has POSITION, NORMAL and COLOR_0 (the shade, three times) as float32 and indices as uint32.
    """
    pieces = _Pieces()
    meshes = [
        {"name": form, "primitives": [pieces.primitive(flat)]}
        for form, flat in (("whole", geometry.whole), ("plain", geometry.plain))
    ]
    document = {
        "asset": {"version": "2.0", "generator": "Gemel", "extras": geometry.facts()},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, **({"name": name} if name else {})}],
        "meshes": meshes,
        **pieces.parts(),
    }
    return write(document, bytes(pieces.binary))


class _Pieces:
    def __init__(self) -> None:
        self.binary = bytearray()
        self._views: list[Json] = []
        self._accessors: list[Json] = []

    def primitive(self, flat: Flat) -> Json:
        shades = np.repeat(np.clip(flat.shades, 0, 1)[:, None], 3, axis=1)
        return {
            "attributes": {
                "POSITION": self._floats(flat.positions, has_bounds=True),
                "NORMAL": self._floats(flat.normals),
                "COLOR_0": self._floats(shades),
            },
            "indices": self._add(flat.indices.astype("<u4"), 5125, "SCALAR", 34963),
        }

    def parts(self) -> Json:
        return {
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": len(self.binary)}],
        }

    def _floats(self, values: F64, *, has_bounds: bool = False) -> int:
        index = self._add(values.astype("<f4"), 5126, "VEC3", 34962)
        if has_bounds:
            low, high = values.astype("<f4").min(axis=0), values.astype("<f4").max(axis=0)
            self._accessors[index] |= {"min": low.tolist(), "max": high.tolist()}
        return index

    def _add(self, values: npt.NDArray[Any], kind: int, type_: str, target: int) -> int:
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": values.nbytes}
        self._views.append(view | {"target": target})
        self.binary += values.tobytes()
        accessor: Json = {"bufferView": len(self._views) - 1, "componentType": kind}
        self._accessors.append(accessor | {"count": len(values), "type": type_})
        return len(self._accessors) - 1


def _names(glb: Glb, field_: str) -> list[str]:
    found = glb.document.get(field_, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        refuse(field_, "must be a list of names")
    return found


def _extensions(glb: Glb) -> list[str]:
    for name in _names(glb, "extensionsRequired"):
        if name in EXTENSIONS or name.startswith(HARMLESS):
            continue
        refuse(
            "extensionsRequired",
            f"'{name[:80]}' is not read",
            COMPRESSED.get(name, "export without this extension"),
        )
    more = [
        name
        for name in _names(glb, "extensionsUsed")
        if name not in EXTENSIONS and not name.startswith(HARMLESS)
    ]
    return [f"extensions that are not read: {', '.join(sorted(more))[:200]}"] if more else []


def _buffers(glb: Glb) -> list[str]:
    buffers = glb.entries("buffers")
    for i, buffer in enumerate(buffers):
        if "uri" in buffer:
            refuse(
                f"buffers[{i}].uri",
                "is an external reference; all data must lie in the file itself",
                "export as one .glb with everything embedded",
            )
    if len(buffers) > 1:
        refuse("buffers", "a .glb has one buffer, its binary part")
    return []


def _images(glb: Glb) -> list[str]:
    images = glb.entries("images")
    if len(images) > MOST_IMAGES:
        refuse("images", f"{len(images):,} of them; at most {MOST_IMAGES}", "merge or drop some")
    for i, image in enumerate(images):
        if "uri" in image:
            refuse(
                f"images[{i}].uri",
                "is an external reference; all data must lie in the file itself",
                "export as one .glb with pictures embedded, or without them",
            )
        if (size := picture_size(glb.view_bytes(image.get("bufferView"), f"images[{i}]"))) is None:
            refuse(f"images[{i}]", "is no PNG, JPEG or WebP", "export without pictures")
        if max(size) > LARGEST_IMAGE:
            words = f"{size[0]:,} x {size[1]:,} pixels; at most {LARGEST_IMAGE:,} a side"
            refuse(f"images[{i}]", words, "make the picture smaller")
    if not images:
        return []
    return [f"{len(images)} pictures are not drawn: the plant is grey, and so is this shape"]


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Width and height by the header of a PNG, JPEG or WebP; None if it is none of them."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:3] == b"\xff\xd8\xff":
        return _jpeg_size(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP" and len(content) >= 30:
        return _webp_size(content)
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            high, wide = content[place + 5 : place + 7], content[place + 7 : place + 9]
            return int.from_bytes(wide, "big"), int.from_bytes(high, "big")
        place += 2 + max(2, length)
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if kind == b"VP8X":
        wide, high = content[24:27], content[27:30]
        return int.from_bytes(wide, "little") + 1, int.from_bytes(high, "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        wide, high = content[26:28], content[28:30]
        return (
            int.from_bytes(wide, "little") & 0x3FFF,
            int.from_bytes(high, "little") & 0x3FFF,
        )
    return None


def _unused(glb: Glb) -> list[str]:
    found = Counter({name: len(glb.entries(name)) for name in ("animations", "skins", "cameras")})
    return [f"{count} {name} are not shown" for name, count in found.items() if count]


def _extent(flat: Flat) -> list[str]:
    low, high = flat.bounds()
    longest = float((high - low).max())
    if not SMALLEST <= longest <= LARGEST:
        refuse(
            "the shape",
            f"is {longest:,.3g} m long; {SMALLEST:g} to {LARGEST:,.0f} m can be drawn",
            "glTF is in metres: export it with the right unit",
        )
    notes = []
    if longest > 100:
        notes.append(f"it is {longest:,.0f} m long: if that is wrong, bind it with a scale")
    if flat.triangles > MANY_TRIANGLES:
        notes.append(
            f"{flat.triangles:,} triangles: above {MANY_TRIANGLES:,} it is drawn whole only"
            " where the page's budget allows, and plain elsewhere"
        )
    return notes
