"""Users' own shapes: GLB files by their hash, and what of the scene is drawn with which.

A document of kind `geometry` says what a file holds; its bytes are `geometries/SHA256`. The scene
names them (`geometries`), so that a shape can be bound to models, to a twin, or to nothing yet.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gemel.app.blobs import store_file, stored_file
from gemel.app.placing import scene_document
from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound
from gemel.scene.geometry import MOST_BYTES, open_geometry, packed
from gemel.scene.validate import findings
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gemel.app.platform import Platform

__all__ = ["FIELDS", "MOST_BYTES", "Geometries", "open_geometry"]

T = TypeVar("T")
FOLDER = "geometries"
DOCUMENT = "geometry"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}", re.ASCII)
FIELDS = ("models", "scale", "turn", "at")
MOST_FILES = 1_000
LONGEST_NAME = 200


class Geometries:
    """The files of an installation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.folder.path / FOLDER
        self._one_at_a_time = asyncio.Lock()
        self._packed = lru_cache(maxsize=8)(self._pack)

    def listing(self) -> list[Json]:
        """All of them with the names they are bound by, the newest first."""
        found = [self._view(doc) for doc in self._documents.values()]
        return sorted(found, key=lambda doc: (doc["time"], doc["sha256"]), reverse=True)

    def get(self, digest: str) -> Json:
        """One of them.

        Raises:
            NotFound: there is none of this hash.
        """
        found = self._documents.get(digest)
        if found is None:
            raise NotFound(f"there is no geometry '{digest[:80]}'", hint="GET /geometries")
        return self._view(found)

    async def add(self, content: bytes, name: str, who: str) -> tuple[Json, bool]:
        """Checks and stores a file, durable on return; its document, and whether it is new.

        Raises:
            InvalidInput: it cannot be drawn.
            TooLarge: it has too many bytes.
            Conflict: there are too many files.
            Unavailable: the disk does not take it.
        """
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise InvalidInput(f"name: at most {LONGEST_NAME} printable characters")
        digest = hashlib.sha256(content).hexdigest()
        async with self._one_at_a_time:
            old = self._documents.get(digest)
            if old is not None and self._file(digest).is_file():
                return self._view(old), False
            if old is None and len(self._documents) >= MOST_FILES:
                raise Conflict(f"there are {MOST_FILES:,} geometries", hint="delete some first")
            geometry = await _in_thread(lambda: open_geometry(content))
            await _in_thread(lambda: store_file(self._folder, digest, content, "the geometry"))
            doc: Json = {
                "sha256": digest,
                "name": name or digest[:12],
                "bytes": len(content),
                **geometry.facts(),
                "time": to_iso(self._platform.clock()),
                "who": who,
            }
            await self._platform.put(DOCUMENT, digest, doc, who, "uploaded")
        return self._view(doc), True

    def kept(self, digests: Iterable[str]) -> list[str]:
        """Those of which the file is here."""
        return [d for d in digests if d in self._documents and self._file(d).is_file()]

    async def file(self, digest: str) -> bytes:
        """The bytes as they were uploaded.

        Raises:
            NotFound: there is none, or its file is gone.
        """
        self.get(digest)
        return await _in_thread(lambda: self._read(digest))

    async def mesh(self, digest: str) -> bytes:
        """What the page draws: a GLB with the meshes `whole` and `plain`."""
        self.get(digest)
        return await _in_thread(lambda: self._packed(digest))

    async def delete(self, digest: str, who: str) -> None:
        """Forgets a file that nothing is drawn with.

        Raises:
            NotFound: there is none of this hash.
            Conflict: the scene names it.
        """

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            users = self.get(digest)["usedAs"]
            if users:
                raise Conflict(
                    f"the scene draws with it as {', '.join(users)}",
                    hint="DELETE /scene/geometries/{name} first",
                )
            return [context.edit(DOCUMENT, digest, None)], None

        await self._platform.edit(plan, who, "deleted")
        await _in_thread(lambda: self._file(digest).unlink(missing_ok=True))

    async def bind(self, name: str, body: Json, who: str) -> Json:
        """Names a file in the scene, for models or for objects that say `geometry`.

        Raises:
            InvalidInput: the name or a field will not do.
            NotFound: there is no such file or model.
        """
        if not NAME.fullmatch(name):
            raise InvalidInput(f"'{name[:80]}' cannot be the name of a geometry", hint="a-z 0-9 -")
        problem = next((f for f in findings({"geometries": {name: body}}) if f.is_error), None)
        if problem is not None:
            raise InvalidInput(str(problem).removeprefix("error: "), hint="docs/formats/scene.md")
        self.get(body["glb"])

        def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], Json]:
            for model in body.get("models", []):
                if model not in graph.models:
                    raise NotFound(f"there is no model '{model[:200]}'", hint="GET /models")
            scene = scene_document(self._platform)
            bound = {**(scene.get("geometries") or {}), name: body}
            edit = context.edit("scene", "plant", {**scene, "geometries": bound})
            return [edit], {"name": name, **body}

        return await self._platform.edit(plan, who, "bound")

    async def unbind(self, name: str, who: str) -> None:
        """Takes a name out of the scene; what was drawn with it is drawn as its kind again.

        Raises:
            NotFound: the scene has none of this name.
        """

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            scene = scene_document(self._platform)
            bound = dict(scene.get("geometries") or {})
            if bound.pop(name, None) is None:
                raise NotFound(f"the scene has no geometry '{name[:80]}'", hint="GET /scene")
            objects = [
                {k: v for k, v in one.items() if (k, v) != ("geometry", name)}
                for one in scene["objects"]
            ]
            doc = {**scene, "objects": objects, "geometries": bound}
            return [context.edit("scene", "plant", doc)], None

        await self._platform.edit(plan, who, "unbound")

    @property
    def _documents(self) -> dict[str, Json]:
        return self._platform.catalogue.plain[DOCUMENT]

    def _view(self, doc: Json) -> Json:
        bound = scene_document(self._platform).get("geometries") or {}
        names = sorted(
            name
            for name, one in bound.items()
            if isinstance(one, dict) and one.get("glb") == doc["sha256"]
        )
        return {**doc, "usedAs": names}

    def _pack(self, digest: str) -> bytes:
        return packed(open_geometry(self._read(digest)))

    def _file(self, digest: str) -> Path:
        return self._folder / digest

    def _read(self, digest: str) -> bytes:
        try:
            return stored_file(self._file(digest), digest)
        except FileNotFoundError:
            raise NotFound(
                f"the file of geometry '{digest[:12]}' is gone", hint="upload it again"
            ) from None


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)
