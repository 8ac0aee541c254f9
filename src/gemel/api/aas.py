"""The API of the Asset Administration Shell, for reading: shells, submodels, their elements.

The read profiles (SSP-002) of the repositories of shells and of submodels, IDTA-01002-3-0. Twins
are shown as they are now, as far as policies let them be seen.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemel.api.errors import json_response, status_of
from gemel.api.routes import Route
from gemel.app import interchange
from gemel.core.access import Principal
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import GemelError, InvalidInput, NotFound
from gemel.interchange import aas_export, aas_views
from gemel.interchange.aas_words import ASSET, id_short, internal, shell_id, twin_of
from gemel.interchange.facts import Material
from gemel.interchange.losses import Losses

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_A_PAGE = 1_000
A_PAGE = 100
SSP = "https://admin-shell.io/aas/API/3/0/"
PROFILES = (
    SSP + "AssetAdministrationShellRepositoryServiceSpecification/SSP-002",
    SSP + "SubmodelRepositoryServiceSpecification/SSP-002",
)
VIEWS = ("$metadata", "$value", "$reference", "$path")
Answer = Callable[["_Asked"], Any]


class _Asked:
    """One request: its platform, and its parameters read and checked."""

    def __init__(self, platform: Platform, request: Request) -> None:
        self.platform = platform
        self.graph = platform.graph
        self.query = request.query_params
        self.rest = [one for one in request.path_params.get("rest", "").split("/") if one]
        self.key = request.path_params.get("id", "")
        self.level = self._among("level", ("deep", "core"))
        self._among("extent", ("withoutBlobValue", "withBlobValue"))

    def _among(self, name: str, known: tuple[str, ...]) -> str:
        value = self.query.get(name, known[0])
        if value not in known:
            raise InvalidInput(f"{name}: '{value[:40]}'", hint="one of " + ", ".join(known))
        return value

    def page_size(self) -> int:
        limit = self.query.get("limit", str(A_PAGE))
        if not (limit.isascii() and limit.isdecimal() and len(limit) < 10 and int(limit)):
            raise InvalidInput(f"limit: '{limit[:40]}'", hint="a whole number above 0")
        return min(int(limit), MOST_A_PAGE)

    def cursor(self) -> str:
        """What the last page ended with; "" for the first one."""
        cursor = self.query.get("cursor", "")
        return decoded(cursor, "cursor") if cursor else ""

    def page(self, keys: Sequence[str], show: Callable[[str], Any]) -> Json:
        """One page of what has these keys, which are in order."""
        count, after = self.page_size(), self.cursor()
        start = bisect_right(keys, after) if after else 0
        shown = keys[start : start + count]
        more = {"cursor": encoded(shown[-1])} if start + count < len(keys) and shown else {}
        return {"paging_metadata": more, "result": [show(key) for key in shown]}

    def shells(self) -> Sequence[str]:
        """The twins that are asked for, in order of their ids."""
        wanted = self.query.get("idShort")
        assets = {decoded_asset(one) for one in self.query.getlist("assetIds")}
        every = self.platform.directory.ids()
        if wanted is None and not assets:
            return every
        return [
            key
            for key in every
            if (wanted is None or id_short(key) == wanted)
            and (not assets or ASSET + shell_id(key).rpartition(":")[2] in assets)
        ]

    def submodels(self) -> Sequence[str]:
        """The ids of the submodels that are asked for, in order."""
        wanted = self.query.get("idShort")
        every = interchange.submodel_ids(self.platform)
        if wanted is None:
            return every
        return [
            key
            for key in every
            if (found := twin_of(key)) and id_short(found[1] or "properties") == wanted
        ]

    def shell(self, key: str) -> Json:
        return aas_export.shell(interchange.facts_of(self.platform, key), self.graph.models)

    def submodel(self, key: str) -> Json:
        """One submodel.

        Raises:
            NotFound: there is none of this id.
        """
        found = twin_of(key)
        if found is not None and found[0] in self.graph.twins:
            facts = interchange.facts_of(self.platform, found[0])
            made = aas_export.submodels_of(facts, self.graph.models, Losses("aas", "export"))
            for one in made:
                if one["id"] == key:
                    return one
        raise NotFound(f"there is no submodel '{key[:200]}'", hint="GET /aas/submodels lists them")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decoded(text: str, name: str) -> str:
    """What base64url stands for.

    Raises:
        InvalidInput: it is none.
    """
    plain = text.rstrip("=")
    try:
        if len(text) - len(plain) > 2:
            raise ValueError("too much padding")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(f"{name}: '{text[:40]}' is not base64url: {error}") from error


def decoded_asset(text: str) -> str:
    """The value of a specific asset id: base64url of `{"name": ..., "value": ...}`."""
    try:
        found = orjson.loads(decoded(text, "assetIds"))
        return str(found["value"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InvalidInput("assetIds: must be base64url of {name, value}") from error


# ---- what is asked -------------------------------------------------------------------------------


def _shells(asked: _Asked) -> Any:
    return asked.page(asked.shells(), asked.shell)


def _below_shells(asked: _Asked) -> Any:
    head, *rest = asked.rest or ("",)
    if asked.rest == ["$reference"]:
        return asked.page(
            asked.shells(), lambda key: internal(("AssetAdministrationShell", shell_id(key)))
        )
    identifier = decoded(head, "aasIdentifier")
    found = twin_of(identifier)
    if found is None or found[1] or found[0] not in asked.graph.twins:
        raise NotFound(f"there is no shell '{identifier[:200]}'", hint="GET /aas/shells lists them")
    shell = asked.shell(found[0])
    if rest[:1] == ["submodels"] and len(rest) > 1:
        key = decoded(rest[1], "submodelIdentifier")
        if twin_of(key) is None or (twin_of(key) or ("",))[0] != found[0]:
            raise NotFound(f"the shell has no submodel '{key[:200]}'", hint="see its submodel-refs")
        return _of_submodel(asked, asked.submodel(key), rest[2:])
    return _of_shell(asked, shell, "/".join(rest))


def _of_shell(asked: _Asked, shell: Json, what: str) -> Any:
    if what == "":
        return shell
    if what == "$reference":
        return internal(("AssetAdministrationShell", shell["id"]))
    if what == "asset-information":
        return shell["assetInformation"]
    if what == "asset-information/thumbnail":
        raise NotFound("the asset has no thumbnail", hint="the page draws it in 3D")
    if what == "submodel-refs":
        by_key = {ref["keys"][0]["value"]: ref for ref in shell.get("submodels", ())}
        return asked.page(sorted(by_key), by_key.__getitem__)
    raise NotFound(f"a shell has no '{what[:80]}'", hint="see /docs")


def _submodels(asked: _Asked) -> Any:
    return asked.page(asked.submodels(), lambda key: _levelled(asked, asked.submodel(key)))


def _below_submodels(asked: _Asked) -> Any:
    head, *rest = asked.rest or ("",)
    if head in VIEWS and not rest:
        if head == "$path":
            return _all_paths(asked)
        return asked.page(asked.submodels(), lambda key: _view(asked, asked.submodel(key), head))
    return _of_submodel(asked, asked.submodel(decoded(head, "submodelIdentifier")), rest)


def _of_submodel(asked: _Asked, submodel: Json, rest: list[str]) -> Any:
    if not rest:
        return _levelled(asked, submodel)
    if rest[0] in VIEWS and len(rest) == 1:
        return _view(asked, submodel, rest[0])
    if rest[0] != "submodel-elements":
        raise NotFound(f"a submodel has no '{rest[0][:80]}'", hint="see /docs")
    if len(rest) == 1 or rest[1] in VIEWS:
        return _elements(asked, submodel, rest[1] if len(rest) > 1 else "")
    element, keys = aas_views.find(submodel, rest[1])
    if len(rest) == 2:
        return _levelled(asked, element)
    if rest[2] == "attachment":
        raise NotFound(f"'{rest[1][:80]}' is no file", hint="twins have no files")
    if rest[2] == "$reference":
        return internal(*keys)
    if rest[2] == "$path" and element["modelType"] not in aas_views.HOLDING:
        raise InvalidInput(f"nothing lies in '{rest[1][:80]}'", hint="it is its own only path")
    if rest[2] == "$value" and "idShort" in element:
        return {element["idShort"]: _view(asked, element, "$value")}
    return _view(asked, element, rest[2], rest[1])


def _elements(asked: _Asked, submodel: Json, view: str) -> Any:
    by_name = {one["idShort"]: one for one in aas_views.elements_of(submodel)}
    names = sorted(by_name)
    if view == "":
        return asked.page(names, lambda name: _levelled(asked, by_name[name]))
    if view == "$reference":
        return asked.page(names, lambda name: internal(*aas_views.find(submodel, name)[1]))
    if view == "$path":
        return asked.page(_paths(submodel), str)
    has_view = [n for n in names if by_name[n]["modelType"] not in ("Operation", "Capability")]
    if view == "$metadata":
        return asked.page(has_view, lambda name: aas_views.metadata(by_name[name]))
    return asked.page(has_view, lambda name: {name: aas_views.value_only(by_name[name])})


def _all_paths(asked: _Asked) -> Json:
    """A page of the paths of all submodels; only those submodels are made that are on it."""
    count, (last, _, after) = asked.page_size(), asked.cursor().partition("\n")
    keys = asked.submodels()
    result: list[str] = []
    end = ""
    for key in keys[bisect_left(keys, last) if last else 0 :]:
        for path in _paths(asked.submodel(key)):
            if key == last and path <= after:
                continue
            if len(result) == count:
                return {"paging_metadata": {"cursor": encoded(end)}, "result": result}
            result.append(path)
            end = f"{key}\n{path}"
    return {"paging_metadata": {}, "result": result}


def _paths(found: Json) -> list[str]:
    return sorted(aas_views.paths(found))


def _levelled(asked: _Asked, found: Json) -> Json:
    return aas_views.core(found) if asked.level == "core" else found


def _view(asked: _Asked, found: Json, view: str, prefix: str = "") -> Any:
    if view == "$metadata":
        return aas_views.metadata(found)
    if view == "$value":
        return aas_views.value_only(_levelled(asked, found))
    if view == "$reference":
        return internal((found["modelType"], found["id"]))
    if view == "$path":
        return list(aas_views.paths(_levelled(asked, found), prefix))
    raise NotFound(f"there is no view '{view[:80]}'", hint="one of " + ", ".join(VIEWS))


def _concepts(asked: _Asked) -> Any:
    by_key = _concepts_by_key(asked)
    return asked.page(sorted(by_key), by_key.__getitem__)


def _concept(asked: _Asked) -> Any:
    key = decoded(asked.key, "cdIdentifier")
    found = _concepts_by_key(asked).get(key)
    if found is None:
        raise NotFound(f"there is no concept description '{key[:200]}'")
    return found


def _concepts_by_key(asked: _Asked) -> dict[str, Json]:
    made = aas_export.concept_descriptions(asked.graph.models, Losses("aas", "export"))
    return {one["id"]: one for one in made}


def _serialization(asked: _Asked) -> Any:
    """Shells and submodels of these ids as one environment; all where none is named."""
    named = {
        name: [decoded(one, name) for text in asked.query.getlist(name) for one in text.split(",")]
        for name in ("aasIds", "submodelIds")
    }
    with_concepts = asked.query.get("includeConceptDescriptions", "true").lower()
    if with_concepts not in ("true", "false"):
        raise InvalidInput("includeConceptDescriptions: must be true or false")
    keys = {found[0] for ids in named.values() for one in ids if (found := twin_of(one))}
    keys = keys if any(named.values()) else set(asked.graph.twins)
    if len(keys) > MOST_A_PAGE:
        raise InvalidInput(
            f"{len(keys):,} shells at once", hint=f"name up to {MOST_A_PAGE:,} of them with aasIds"
        )
    facts = tuple(interchange.facts_of(asked.platform, key) for key in sorted(keys))
    material = Material(asked.graph.models, facts)
    made = aas_export.environment(material, Losses("aas", "export"))
    if with_concepts == "false":
        made.pop("conceptDescriptions", None)
    chosen = set(named["submodelIds"])
    if chosen and "submodels" in made:  # no list of these forms is empty
        made["submodels"] = [one for one in made["submodels"] if one["id"] in chosen]
        if not made["submodels"]:
            del made["submodels"]
    return made


def _description(_: _Asked) -> Any:
    return {"profiles": list(PROFILES)}


# ---- routes --------------------------------------------------------------------------------------


def _route(path: str, answer: Answer, about: str, *query: tuple[str, str]) -> Route:
    async def endpoint(platform: Platform, request: Request, _: Principal) -> Response:
        try:
            return json_response(answer(_Asked(platform, request)))
        except GemelError as error:
            return _result(platform, error)

    endpoint.__name__ = answer.__name__.strip("_")
    return Route("GET", path, endpoint, "twins:read", about, query=query)


def _result(platform: Platform, error: GemelError) -> Response:
    """An error in the words of that API, beside our header."""
    message = {
        "code": error.code[:32],
        "messageType": "Error",
        "text": str(error),
        "timestamp": to_iso(platform.clock()),
    }
    headers = {"x-ms-error-code": error.code}
    return json_response({"messages": [message]}, status_of(error), headers)


PAGES = (("limit", "at most so many (100)"), ("cursor", "where the page begins"))
LEVEL = (
    ("level", "deep, or core: nothing inside of elements"),
    ("extent", "accepted; there are no blobs"),
)
ROUTES = [
    _route(
        "/aas/shells",
        _shells,
        "Twins as asset administration shells",
        ("idShort", "only these"),
        ("assetIds", "only these, base64url of {name, value}"),
        *PAGES,
    ),
    _route("/aas/shells/{rest:path}", _below_shells, "One shell and all below it", *LEVEL, *PAGES),
    _route("/aas/submodels", _submodels, "Interfaces and components of twins", *LEVEL, *PAGES),
    _route("/aas/submodels/{rest:path}", _below_submodels, "One and its elements", *LEVEL, *PAGES),
    _route("/aas/concept-descriptions", _concepts, "Models and their contents", *PAGES),
    _route("/aas/concept-descriptions/{id}", _concept, "One of them"),
    _route(
        "/aas/serialization",
        _serialization,
        "Shells as one environment",
        ("aasIds", "only these, base64url"),
        ("submodelIds", "only these, base64url"),
        ("includeConceptDescriptions", "true or false"),
    ),
    _route("/aas/description", _description, "The profiles that are served"),
]
