"""AASX: the environment in a package of files (Open Packaging Conventions).

Source: IDTA-01005-3-0-1 (AASX package file format).
"""

from __future__ import annotations

import io
import posixpath
import zipfile

import orjson

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.interchange.aas_xml import environment_of_xml, parse_xml

RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
AASX = "http://admin-shell.io/aasx/relationships/"
OLD_AASX = "http://www.admin-shell.io/aasx/relationships/"
MOST_BYTES = 64 << 20
"""Of one file in a package, unpacked."""
STAMP = (2000, 1, 1, 0, 0, 0)
"""The same environment is the same package, byte by byte."""


def package(environment: Json) -> bytes:
    """An environment as an AASX file with a JSON part."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in (
            ("[Content_Types].xml", _content_types()),
            ("_rels/.rels", _relations("aasx-origin", "/aasx/aasx-origin")),
            ("aasx/aasx-origin", b"Intentionally empty."),
            ("aasx/_rels/aasx-origin.rels", _relations("aas-spec", "/aasx/environment.json")),
            ("aasx/environment.json", orjson.dumps(environment, option=orjson.OPT_INDENT_2)),
        ):
            info = zipfile.ZipInfo(name, STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, content)
    return body.getvalue()


def _content_types() -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Types xmlns="{TYPES}">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="json" ContentType="application/json"/>'
        '<Override PartName="/aasx/aasx-origin" ContentType="text/plain"/></Types>'
    ).encode()


def _relations(kind: str, target: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Relationships xmlns="{RELATIONS}">'
        f'<Relationship Type="{AASX}{kind}" Target="{target}" Id="r1"/></Relationships>'
    ).encode()


def unpack(content: bytes) -> tuple[Json, list[str]]:
    """The environment of a package, and the files in it that are no part of it.

    Raises:
        InvalidInput: it is no AASX package, or holds none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as found:
            specs = [
                spec
                for origin in _targets(found, "", "aasx-origin")
                for spec in _targets(found, origin, "aas-spec")
            ]
            made: Json = {}
            for spec in specs:
                for name, listed in _environment(found, spec).items():
                    made.setdefault(name, []).extend(listed)
            known = {*specs, "[Content_Types].xml", "aasx/aasx-origin"}
            more = [n for n in found.namelist() if n not in known and "_rels/" not in n]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidInput(
            f"this is no AASX package: {error}", hint="send the file whole"
        ) from error
    if not specs:
        raise InvalidInput("the package names no environment", hint="it needs an aas-spec relation")
    return made, [name for name in more if not name.endswith(("/", "aasx-origin"))]


def _targets(package: zipfile.ZipFile, part: str, kind: str) -> list[str]:
    folder, name = posixpath.split(part)
    try:
        root = parse_xml(_read(package, posixpath.join(folder, "_rels", f"{name}.rels")))
    except KeyError:
        return []
    found = []
    for one in root.iter(f"{{{RELATIONS}}}Relationship"):
        if one.get("Type") in (AASX + kind, OLD_AASX + kind):
            found.append(posixpath.normpath(posixpath.join("/", folder, one.get("Target", "")))[1:])
    return found


def _environment(package: zipfile.ZipFile, name: str) -> Json:
    try:
        content = _read(package, name)
    except KeyError:
        raise InvalidInput(f"the package has no '{name}', which it names") from None
    return environment_of(content)


def _read(package: zipfile.ZipFile, name: str) -> bytes:
    info = package.getinfo(name)
    if info.file_size > MOST_BYTES:
        raise InvalidInput(f"'{name}' in the package is larger than {MOST_BYTES >> 20} MiB")
    with package.open(info) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"'{name}' in the package is larger than {MOST_BYTES >> 20} MiB")
    return content


def environment_of(content: bytes) -> Json:
    """An environment as JSON or XML, told apart by their first letter.

    Raises:
        InvalidInput: it is neither, or no environment.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"<":
        return environment_of_xml(text)
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the environment is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput("an environment must be a JSON object", hint="with submodels")
    return found
