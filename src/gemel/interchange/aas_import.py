"""An Asset Administration Shell environment as models, twins and relationships.

What Gemel exported comes back as it was, since it carries its DTDL. Of others, a submodel becomes
an interface, a shell a twin whose components are its submodels.
"""

from __future__ import annotations

from typing import Any

import orjson

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.units import find
from gemel.interchange.aas_package import environment_of, unpack
from gemel.interchange.aas_words import DTDL, KIND, NAME, QUALITY, SCHEMA, twin_of, value_of
from gemel.interchange.building import Plant, free, twin_name
from gemel.interchange.losses import Losses
from gemel.interchange.short_form import quantity_of
from gemel.twins.dtdl.infer import name_for

DEEPEST = 4
LANGUAGES = {
    "@type": "Map",
    "mapKey": {"name": "language", "schema": "string"},
    "mapValue": {"name": "text", "schema": "string"},
}
NOT_OURS = {
    "administration": "version and revision of the administration have no place in DTDL",
    "supplementalSemanticIds": "only the first semantic id is kept, as a comment",
    "derivedFrom": "what a shell is derived from has no place in DTDL",
}


def read_environment(content: bytes, losses: Losses) -> Json:
    """A plant from an environment as JSON or XML."""
    return plant_of(environment_of(content), losses)


def read_package(content: bytes, losses: Losses) -> Json:
    """A plant from an AASX package."""
    environment, more = unpack(content)
    for name in more:
        losses.dropped(name, "files of a package have no place in a twin")
    return plant_of(environment, losses)


def plant_of(environment: Json, losses: Losses) -> Json:
    """What an environment says, as a plant.

    Raises:
        InvalidInput: it is not of the form.
        ModelInvalid: a model that it carries breaks DTDL.
    """
    try:
        return _Reader(environment, losses).plant()
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidInput(
            f"this is no AAS environment of version 3: {error!r}",
            hint="check it with aas-test-engines",
        ) from error


class _Reader:
    def __init__(self, environment: Json, losses: Losses) -> None:
        self._environment = environment
        self._losses = losses
        self._plant = Plant("aas", losses)
        self._submodels = {one["id"]: one for one in environment.get("submodels", ())}
        self._concepts = {one["id"]: one for one in environment.get("conceptDescriptions", ())}
        self._twins: dict[str, str] = {}
        """Shell id to twin id."""
        self._met: set[str] = set()

    def plant(self) -> Json:
        for concept in self._concepts.values():
            for extension in concept.get("extensions", ()):
                if extension["name"] == DTDL:
                    self._plant.take_model(orjson.loads(extension["value"]))
        shells = self._environment.get("assetAdministrationShells", ())
        for shell in shells:
            own = twin_of(shell["id"])
            name = own[0] if own else twin_name(shell.get("idShort") or shell["id"])
            self._twins[shell["id"]] = free(name, set(self._twins.values()))
        for shell in shells:
            self._shell(shell)
        for key, submodel in self._submodels.items():
            if key not in self._met:
                self._alone(submodel)
        return self._plant.document()

    # ---- shells --------------------------------------------------------------------------

    def _shell(self, shell: Json) -> None:
        twin = self._twins[shell["id"]]
        submodels = []
        for ref in shell.get("submodels", ()):
            key = ref["keys"][0]["value"]
            if key in self._submodels:
                submodels.append(self._submodels[key])
                self._met.add(key)
            else:
                self._losses.dropped(
                    f"shell {twin}", f"its submodel '{key}' is not in the document"
                )
        model = shell["assetInformation"].get("assetType", "")
        if model in self._plant.models:
            self._own(twin, model, submodels)
        else:
            self._foreign(twin, shell, submodels)

    def _own(self, twin: str, model: str, submodels: list[Json]) -> None:
        """A shell that was exported here: only values, since its models came along."""
        entry: Json = {"model": model, "properties": {}, "components": {}, "relationships": {}}
        for submodel in submodels:
            _, component = twin_of(submodel["id"]) or ("", "")
            place = (
                entry["components"].setdefault(component, {}) if component else entry["properties"]
            )
            for element in submodel.get("submodelElements", ()):
                kind = _qualified(element, KIND)
                if kind == "Relationship":
                    self._own_relationship(entry, element)
                elif kind == "Property":
                    if _qualified(element, QUALITY):  # else it has no value
                        value = self._value(element, f"{twin}: {element['idShort']}")
                        place[element["idShort"]] = value
                elif kind == "Telemetry" and _qualified(element, QUALITY):
                    self._losses.dropped(
                        f"{model}: {element['idShort']}",
                        "values of telemetry are readings: a device sends them",
                        twin,
                    )
        self._plant.twins[twin] = entry

    def _own_relationship(self, entry: Json, element: Json) -> None:
        name = element["semanticId"]["keys"][0]["value"].rpartition("__")[2].partition(";")[0]
        target = element["second"]["keys"][0]["value"]
        held = {one["idShort"]: self._value(one, name) for one in element.get("annotations", ())}
        link: Json = {"to": self._twins.get(target, target), "id": _qualified(element, NAME)}
        entry["relationships"].setdefault(name, []).append(
            link | ({"properties": held} if held else {})
        )

    def _foreign(self, twin: str, shell: Json, submodels: list[Json]) -> None:
        about = shell["assetInformation"]
        self._report(shell, f"shell {twin}")
        for name in ("specificAssetIds", "defaultThumbnail"):
            if name in about:
                self._losses.dropped(f"shell {twin}.assetInformation", f"{name} has no place here")
        values = {
            "name": next(
                (one["text"] for one in shell.get("displayName", ())), shell.get("idShort")
            ),
            "globalAssetId": about.get("globalAssetId"),
            "assetKind": about.get("assetKind"),
            "assetType": about.get("assetType"),
            "shellId": shell["id"],
        }
        contents = [{"@type": "Property", "name": name, "schema": "string"} for name in values]
        components: Json = {}
        links: dict[str, list[Json]] = {}
        taken = set(values)
        for submodel in submodels:
            model, held = self._submodel(submodel, links)
            name = free(name_for(submodel.get("idShort") or "submodel"), taken)
            taken.add(name)
            components[name] = held
            contents.append({"@type": "Component", "name": name, "schema": model})
        relations = {name: free(name, taken) for name in links}
        contents += [{"@type": "Relationship", "name": name} for name in relations.values()]
        names = self._plant.texts(shell.get("displayName"), f"shell {twin}.displayName")
        model = self._plant.make_model(
            f"{shell.get('idShort') or 'Shell'}_shell",
            contents,
            **({"displayName": names} if names else {}),
        )
        self._plant.twins[twin] = {
            "model": model,
            "properties": {k: v for k, v in values.items() if v is not None},
            "components": components,
            "relationships": {relations[name]: found for name, found in links.items()},
        }

    def _alone(self, submodel: Json) -> None:
        """A submodel of no shell: a twin of its own."""
        links: dict[str, list[Json]] = {}
        model, held = self._submodel(submodel, links)
        name = free(twin_name(submodel.get("idShort") or submodel["id"]), self._plant.twins)
        for relation in links:
            self._losses.dropped(
                f"submodel {name}.{relation}", "it is of no shell that could relate"
            )
        self._plant.twins[name] = {"model": model, "properties": held}

    # ---- submodels -----------------------------------------------------------------------

    def _submodel(self, submodel: Json, links: dict[str, list[Json]]) -> tuple[str, Json]:
        """(DTMI of its interface, values)."""
        name = submodel.get("idShort") or "Submodel"
        self._report(submodel, f"submodel {name}")
        contents: dict[str, Json] = {}
        values: Json = {}
        for element in submodel.get("submodelElements", ()):
            place = f"submodel {name}.{element.get('idShort', '')}"
            short = free(name_for(element.get("idShort") or "element"), contents)
            if short != element.get("idShort"):
                self._losses.changed(place, f"the name is '{short}' here")
            if self._is_relation(element):
                target = element["second"]["keys"][0]["value"]
                links.setdefault(short, []).append({"to": self._twins[target], "id": short})
                continue
            content = self._content(short, element, place)
            if content is not None:
                contents[short] = content
                value = self._value(element, place)
                if content["@type"] != "Command" and value is not None:
                    values[short] = value
        about: Json = {}
        for ours, theirs in (("displayName", "displayName"), ("description", "description")):
            found = self._plant.texts(submodel.get(theirs), f"submodel {name}.{theirs}")
            if found:
                about[ours] = found
        said = _semantics(submodel)
        if said:
            about["comment"] = self._plant.text(f"semanticId: {said}", f"submodel {name}")
            self._losses.changed(f"submodel {name}.semanticId", "kept as a comment of the model")
        return self._plant.make_model(name, list(contents.values()), **about), values

    def _is_relation(self, element: Json) -> bool:
        if not element["modelType"].endswith("RelationshipElement"):
            return False
        return all(element[end]["keys"][-1]["value"] in self._twins for end in ("first", "second"))

    def _content(self, name: str, element: Json, place: str) -> Json | None:
        self._report(element, place)
        if element["modelType"] in ("Capability", "BasicEventElement"):
            self._losses.dropped(place, f"a {element['modelType']} has no value and no counterpart")
            return None
        if element["modelType"] == "Operation":
            made: Json = {"@type": "Command", "name": name, **self._payloads(element, place)}
        else:
            made = {"@type": "Property", "name": name, "schema": self._schema(element, place, 0)}
            made |= self._unit(element, place)
        for field in ("displayName", "description"):
            found = self._plant.texts(element.get(field), f"{place}.{field}")
            if found:
                made[field] = found
        said = _semantics(element)
        if said:
            made["comment"] = self._plant.text(f"semanticId: {said}", place)
            self._losses.changed(f"{place}.semanticId", "kept as a comment of the model")
        return made

    def _unit(self, element: Json, place: str) -> Json:
        """The unit of its concept, with the semantic type it needs."""
        concept = self._concepts.get(_semantics(element), {})
        for one in concept.get("embeddedDataSpecifications", ()):
            text = one["dataSpecificationContent"].get("unit")
            if not text:
                continue
            try:
                unit = find(text).name
            except InvalidInput:
                self._losses.dropped(f"{place}.unit", f"'{text}' is no unit that DTDL knows")
                return {}
            kind = quantity_of(unit)
            if not kind or element.get("valueType") not in NUMERIC:
                self._losses.dropped(f"{place}.unit", f"'{text}' needs a number of one quantity")
                return {}
            return {"@type": ["Property", kind], "unit": unit}
        return {}

    def _payloads(self, element: Json, place: str) -> Json:
        made: Json = {}
        both = element.get("inoutputVariables", [])
        for role, field in (("request", "inputVariables"), ("response", "outputVariables")):
            held = [one["value"] for one in (*element.get(field, ()), *both)]
            if len(held) == 1:
                name = name_for(held[0].get("idShort") or role)
                made[role] = {"name": name, "schema": self._schema(held[0], place, 1)}
            elif held:
                made[role] = {"name": role, "schema": self._object(held, place, 0)}
                self._losses.changed(f"{place}.{field}", "several variables are one object")
        return made

    def _report(self, found: Json, place: str) -> None:
        for name, reason in NOT_OURS.items():
            if name in found:
                self._losses.dropped(f"{place}.{name}", reason)
        if any(not one["type"].startswith("gemel:") for one in found.get("qualifiers", ())):
            self._losses.dropped(f"{place}.qualifiers", "qualifiers have no place in DTDL")

    # ---- schemas and values --------------------------------------------------------------

    def _schema(self, element: Json, place: str, depth: int) -> Any:
        kind = element["modelType"]
        if kind == "Property":
            return SCHEMA.get(element["valueType"], "string")
        if kind == "MultiLanguageProperty":
            return LANGUAGES
        if kind == "ReferenceElement":
            self._losses.changed(place, "a reference is the text of its keys")
            return "string"
        if kind == "Range":
            inner = SCHEMA.get(element["valueType"], "string")
            return _fields([(n, inner) for n in ("min", "max") if n in element] or [("min", inner)])
        if kind in ("File", "Blob"):
            return _fields([("contentType", "string"), ("value", "string")])
        if kind.endswith("RelationshipElement"):
            self._losses.changed(place, "its ends are no shells of the document: kept as texts")
            return _fields([("first", "string"), ("second", "string")])
        if depth >= DEEPEST:
            return "string"
        if kind == "SubmodelElementList":
            held = element.get("value", ())
            return {
                "@type": "Array",
                "elementSchema": self._schema(held[0], place, depth + 1) if held else "string",
            }
        held = element.get("statements" if kind == "Entity" else "value", ())
        return self._object(list(held), place, depth)

    def _object(self, held: list[Json], place: str, depth: int) -> Any:
        if not held:
            return "string"
        fields: dict[str, Any] = {}
        for one in held:
            name = free(name_for(one.get("idShort") or "field"), fields)
            fields[name] = self._schema(one, f"{place}.{name}", depth + 1)
        return _fields(list(fields.items()))

    def _value(self, element: Json, place: str, depth: int = 0) -> Any:
        kind = element["modelType"]
        if kind == "Property":
            return self._literal(element.get("value"), element["valueType"], place)
        if kind == "MultiLanguageProperty":
            return {one["language"]: one["text"] for one in element.get("value", ())} or None
        if kind == "ReferenceElement":
            return _keys(element["value"]) if "value" in element else None
        if kind == "Range":
            made = {
                end: self._literal(element.get(end), element["valueType"], place)
                for end in ("min", "max")
            }
            return {k: v for k, v in made.items() if v is not None} or None
        if kind in ("File", "Blob"):
            made = {name: element.get(name) for name in ("contentType", "value")}
            return {k: v for k, v in made.items() if v is not None}
        if kind.endswith("RelationshipElement"):
            return {end: _keys(element[end]) for end in ("first", "second")}
        if kind == "Operation":
            return None
        return self._held(element, kind, place, depth)

    def _held(self, element: Json, kind: str, place: str, depth: int) -> Any:
        held = element.get("statements" if kind == "Entity" else "value", ())
        if depth >= DEEPEST:
            self._losses.approximated(
                place, f"what lies deeper than {DEEPEST} levels is a JSON text"
            )
            return orjson.dumps(list(held)).decode()
        if kind == "SubmodelElementList":
            found = [self._value(one, place, depth + 1) for one in held]
            return [one for one in found if one is not None]
        made: Json = {}
        is_own = bool(_qualified(element, KIND)) or twin_of(place) is not None
        for one in held:
            own = _qualified(one, NAME) or (one.get("idShort") if is_own else "")
            name = own or free(name_for(one.get("idShort") or "field"), made)
            value = self._value(one, f"{place}.{name}", depth + 1)
            if value is not None:
                made[name] = value
        return made if made or is_own else None

    def _literal(self, text: Any, value_type: str, place: str) -> Any:
        if text is None:
            return None
        try:
            return value_of(str(text), value_type)
        except ValueError as error:
            self._losses.dropped(place, f"its value is no {value_type}: {error}")
            return None


NUMERIC = frozenset(
    xsd
    for xsd, kind in SCHEMA.items()
    if kind not in ("string", "boolean", "date", "dateTime", "time", "duration", "bytes")
)


def _fields(found: list[tuple[str, Any]]) -> Json:
    return {"@type": "Object", "fields": [{"name": n, "schema": s} for n, s in found]}


def _qualified(element: Json, kind: str) -> str:
    """The value of a qualifier; "" if there is none."""
    found = (one for one in element.get("qualifiers", ()) if one["type"] == kind)
    return str(next((one.get("value", "") for one in found), ""))


def _semantics(found: Json) -> str:
    keys = found.get("semanticId", {}).get("keys", ())
    return str(keys[0]["value"]) if keys else ""


def _keys(reference: Json) -> str:
    return "/".join(str(one["value"]) for one in reference["keys"])
