"""Documents in memory: the fake of `core.ports.Documents`, for tests and throw-away plants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from gemel.core.document import Document, Edit, Encoded, Version
from gemel.core.errors import InvalidInput, Unavailable


class MemoryDocuments:
    """Keeps encoded copies, so that a caller who changes a document later changes nothing here."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, tuple[bytes, Edit]]] = {}
        self._edits: list[tuple[bytes | None, Edit]] = []
        self._closed = False

    def commit(self, edits: Sequence[Edit]) -> None:
        self._check_open()
        for edit, doc in [(edit, _encode(edit)) for edit in edits]:
            self._edits.append((doc, edit))
            of_kind = self._documents.setdefault(edit.kind, {})
            if doc is None:
                of_kind.pop(edit.key, None)
            else:
                of_kind[edit.key] = (doc, edit)

    def load(self, kind: str) -> Iterator[Document]:
        self._check_open()
        for _, (doc, edit) in sorted(self._documents.get(kind, {}).items()):
            yield _document(doc, edit)

    def load_encoded(self, kind: str) -> Iterator[Encoded]:
        self._check_open()
        found = [(doc or b"null", edit) for doc, edit in self._edits if edit.kind == kind]
        docs = [doc for doc, _ in found]
        yield Encoded(
            [edit.key for _, edit in found],
            b"[" + b",".join(docs) + b"]",
            list(map(len, docs)),
            [edit.etag for _, edit in found],
        )

    def get(self, kind: str, key: str) -> Document | None:
        self._check_open()
        found = self._documents.get(kind, {}).get(key)
        return None if found is None else _document(*found)

    def versions(self, kind: str, key: str) -> list[Version]:
        self._check_open()
        return [
            Version(seq, None if doc is None else orjson.loads(doc), edit.time, edit.who, edit.why)
            for seq, (doc, edit) in enumerate(self._edits, 1)
            if edit.kind == kind and edit.key == key
        ]

    def newest(self) -> int:
        self._check_open()
        return len(self._edits)

    def edited(self, kind: str, after: int) -> set[str]:
        self._check_open()
        return {edit.key for _, edit in self._edits[after:] if edit.kind == kind}

    def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the documents are closed", hint="the server is shutting down")


def _encode(edit: Edit) -> bytes | None:
    if edit.doc is None:
        return None
    try:
        return orjson.dumps(edit.doc)
    except TypeError as error:
        raise InvalidInput(
            f"the {edit.kind} '{edit.key}' cannot be stored as JSON: {error}",
            hint="use strings as names and integers below 2**64",
        ) from error


def _document(doc: bytes, edit: Edit) -> Document:
    return Document(edit.kind, edit.key, orjson.loads(doc), edit.time, edit.who, edit.etag)
