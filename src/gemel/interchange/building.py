"""Builds a plant out of a foreign document: models made up or taken over, twins that fit them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gemel.core.document import Json
from gemel.core.errors import ModelInvalid
from gemel.interchange.losses import Losses
from gemel.twins.dtdl.infer import name_for
from gemel.twins.dtdl.interface import Interface, Property
from gemel.twins.dtdl.parser import parse

CONTEXT = ["dtmi:dtdl:context;4", "dtmi:dtdl:extension:quantitativeTypes;3"]
MOST_TEXT = 512
MOST_ID = 128
NOT_OF_IDS = re.compile(r"[^A-Za-z0-9\-.+%_#*?!(),=@$':]+", re.ASCII)


def free(name: str, taken: Mapping[str, Any] | set[str]) -> str:
    """The name, or with a number behind it where it is taken."""
    found, number = name, 2
    while found in taken:
        found = f"{name}{number}" if name[-1:].isalpha() else f"{name}n{number}"
        number += 1
    return found


def twin_name(text: str) -> str:
    """An id that a twin may have."""
    return NOT_OF_IDS.sub("-", text)[:MOST_ID].strip("-") or "twin"


class Plant:
    """What an import will bring in.

    Args:
        space: the part of the DTMIs that says where models came from, such as `aas`.
        losses: what does not fit is told to it.
    """

    def __init__(self, space: str, losses: Losses) -> None:
        self._space = space
        self._losses = losses
        self.models: dict[str, Json] = {}
        self.twins: dict[str, Json] = {}
        self._made: dict[bytes, str] = {}

    def take_model(self, document: Json) -> str:
        """A model that came whole."""
        key = str(document["@id"])
        self.models[key] = document
        return key

    def make_model(self, name: str, contents: Sequence[Json], **more: Any) -> str:
        """A model of these contents; the same contents under the same name are one model.

        Returns:
            Its DTMI.
        """
        label = re.sub(r"_+", "_", name_for(name, "Model"))[:80].strip("_")
        body = {"@type": "Interface", "contents": list(contents), **more}
        form = orjson.dumps([label, body], option=orjson.OPT_SORT_KEYS)
        if form not in self._made:
            names = {key.split(";")[0].rpartition(":")[2] for key in self.models}
            key = f"dtmi:{self._space}:{free(label, names)};1"
            self.models[key] = {"@context": CONTEXT, "@id": key, **body}
            self._made[form] = key
        return self._made[form]

    def text(self, text: str, place: str) -> str:
        if len(text) > MOST_TEXT:
            self._losses.approximated(place, f"texts have {MOST_TEXT} characters: it was cut")
        return text[:MOST_TEXT]

    def texts(self, found: Any, place: str) -> dict[str, str]:
        """Texts by language from `[{language, text}]`; languages that DTDL has not are left out."""
        made: dict[str, str] = {}
        for one in found if isinstance(found, list) else ():
            language, text = str(one.get("language", "")), str(one.get("text", ""))
            if not re.fullmatch(r"[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", language):
                self._losses.dropped(place, f"'{language[:20]}' is no language that DTDL knows")
            elif text:
                made[language] = self.text(text, place)
        return made

    def document(self) -> Json:
        """The plant, with only such values and relationships as its models take."""
        models = list(self.models.values())
        try:
            interfaces = parse(models) if models else {}
        except ModelInvalid as error:
            for detail in error.details[:20]:
                self._losses.dropped("models", str(detail["message"]))
            raise
        for key, twin in self.twins.items():
            self._fit(key, twin, interfaces)
        return {"models": models, "twins": self.twins}

    def _fit(self, key: str, twin: Json, interfaces: Mapping[str, Interface]) -> None:
        interface = interfaces.get(twin["model"])
        if interface is None:
            return
        self._fit_values(key, twin.get("properties", {}), interface)
        for name, held in twin.get("components", {}).items():
            inner = interfaces.get(interface.components()[name].schema)
            if inner is not None:
                self._fit_values(key, held, inner)
        for name in interface.relationships():
            targets = twin.get("relationships", {}).get(name, [])
            kept = [one for one in targets if one["to"] in self.twins]
            for one in targets:
                if one not in kept:
                    place = f"{interface.id}: {name}"
                    self._losses.dropped(place, "its target is not in the document", key)
            if targets:
                twin["relationships"][name] = kept

    def _fit_values(self, key: str, values: Json, interface: Interface) -> None:
        for name in list(values):
            content = interface.contents.get(name)
            problems = (
                content.schema.check(values[name])
                if isinstance(content, Property)
                else ["it is no property of the model"]
            )
            if problems:
                self._losses.dropped(f"{interface.id}: {name}", problems[0], key)
                del values[name]
