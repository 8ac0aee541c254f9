"""Photos and notes of twins and work orders: a document each, with its bytes as a file.

Who sends one names it by a UUID of their own, so that sending it again, after an answer was lost
or from a phone that was offline, is the same attachment and not a second one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gemel.app.blobs import store_file, stored_file
from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound, TooLarge
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

T = TypeVar("T")
KIND = "attachment"
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
MOST_IMAGE_BYTES = 8 * 1024 * 1024
MOST_NOTE_BYTES = 10_000
LONGEST_CAPTION = 500


def _is_webp(content: bytes) -> bool:
    return content[:4] == b"RIFF" and content[8:12] == b"WEBP"


def _is_text(content: bytes) -> bool:
    try:
        return bool(content.decode("utf-8").strip()) and b"\0" not in content
    except UnicodeDecodeError:
        return False


TYPES: dict[str, tuple[Callable[[bytes], bool], int]] = {
    "image/jpeg": (lambda content: content[:3] == b"\xff\xd8\xff", MOST_IMAGE_BYTES),
    "image/png": (lambda content: content[:8] == b"\x89PNG\r\n\x1a\n", MOST_IMAGE_BYTES),
    "image/webp": (_is_webp, MOST_IMAGE_BYTES),
    "text/plain": (_is_text, MOST_NOTE_BYTES),
}
"""Content types that are taken: whether bytes are of it, and how many at most."""


class Attachments:
    """What was attached, by its id; the bytes lie in `attachments/` of the data folder."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.folder.path / "attachments"

    @property
    def _documents(self) -> dict[str, Json]:
        return self._platform.catalogue.plain[KIND]

    def find(self, *, twin: str = "", order: str = "", limit: int = 1_000) -> list[Json]:
        """The newest first."""
        found = [
            doc
            for doc in self._documents.values()
            if (not twin or doc["twin"] == twin) and (not order or doc["order"] == order)
        ]
        found.sort(key=lambda doc: (doc["time"], doc["id"]), reverse=True)
        return found[:limit]

    def get(self, key: str) -> Json:
        """One of them.

        Raises:
            NotFound: there is none of this id.
        """
        found = self._documents.get(key)
        if found is None:
            raise NotFound(f"there is no attachment '{key}'", hint="GET /attachments lists them")
        return found

    async def read(self, key: str) -> bytes:
        """Its bytes.

        Raises:
            NotFound: there is none of this id, or its file is gone.
            Damaged: its file is not what was sent.
        """
        digest = self.get(key)["sha256"]
        try:
            return await _in_thread(lambda: stored_file(self._file(key), digest))
        except FileNotFoundError:
            raise NotFound(
                f"the file of attachment '{key}' is gone", hint="restore attachments/ from a backup"
            ) from None

    async def put(
        self, key: str, about: Json, kind: str, content: bytes, who: str
    ) -> tuple[Json, bool]:
        """Stores one, durable on return; the document, and whether it is new.

        Args:
            about: `twin` or `order`, and a `caption`.
            kind: its content type; the bytes must be of it.

        Raises:
            InvalidInput: its id, type or bytes are not of their form.
            TooLarge: more bytes than its type may have.
            NotFound: there is no such twin or work order.
            Conflict: another attachment has this id.
            Unavailable: the disk does not take it.
        """
        if not KEY.fullmatch(key):
            raise InvalidInput(
                f"'{key[:80]}' is no UUID in lower case", hint="make one for each attachment"
            )
        check(kind, content)
        twin, order = self._of(about)
        digest = hashlib.sha256(content).hexdigest()
        old = self._documents.get(key)
        if old is not None:
            if (old["sha256"], old["twin"], old["order"]) == (digest, twin, order):
                return old, False
            raise Conflict(f"attachment '{key}' is another one", hint="make a new UUID")
        await _in_thread(lambda: store_file(self._folder, key, content, "the attachment"))
        now = self._platform.clock()
        doc: Json = {
            "id": key,
            "twin": twin,
            "order": order,
            "type": kind,
            "bytes": len(content),
            "sha256": digest,
            "caption": str(about.get("caption", ""))[:LONGEST_CAPTION],
            "text": content.decode("utf-8") if kind == "text/plain" else None,
            "time": to_iso(now),
            "who": who,
        }
        await self._platform.put(KIND, key, doc, who, "attached")
        return doc, True

    async def delete(self, key: str, who: str) -> None:
        self.get(key)

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            return [context.edit(KIND, key, None)], None

        await self._platform.edit(plan, who, "deleted")
        await _in_thread(lambda: self._file(key).unlink(missing_ok=True))

    def _of(self, about: Json) -> tuple[str, str]:
        order = str(about.get("order", ""))
        twin = str(about.get("twin", ""))
        if order:
            found = self._platform.work.book.get(order)["twin"]
            if twin and twin != found:
                raise InvalidInput(f"work order '{order}' is for '{found}'", hint="leave twin out")
            return found, order
        if not twin:
            raise InvalidInput("it belongs to no 'twin' and no 'order'", hint="?twin=pump-1")
        self._platform.catalogue.require_twin(twin)
        return twin, ""

    def _file(self, key: str) -> Path:
        return self._folder / key


def check(kind: str, content: bytes) -> None:
    """Whether bytes may be kept as what they are said to be.

    Raises:
        InvalidInput: the type is none of ours, or the bytes are not of it.
        TooLarge: there are too many.
    """
    known = TYPES.get(kind)
    if known is None:
        raise InvalidInput(f"'{kind[:80]}' is not taken", hint="one of " + ", ".join(TYPES))
    is_of, most = known
    if len(content) > most:
        raise TooLarge(f"{kind}: more than {most:,} bytes", hint="send a smaller one")
    if not is_of(content):
        raise InvalidInput(f"these bytes are no {kind}", hint="send what Content-Type says")


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)
