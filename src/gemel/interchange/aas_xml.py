"""An environment in XML as the same environment in JSON (IDTA-01001-3-0, XML serialization)."""

from __future__ import annotations

import contextlib
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from gemel.core.document import Json
from gemel.core.errors import InvalidInput

LISTS = frozenset(
    {
        *("assetAdministrationShells", "submodels", "conceptDescriptions", "submodelElements"),
        *("keys", "displayName", "description", "preferredName", "shortName", "definition"),
        *("qualifiers", "extensions", "embeddedDataSpecifications", "specificAssetIds"),
        *("supplementalSemanticIds", "statements", "annotations", "inputVariables", "isCaseOf"),
        *("outputVariables", "inoutputVariables", "valueReferencePairs", "refersTo"),
    }
)
"""Elements that hold a list wherever they stand."""
LISTING = frozenset({"submodelElementCollection", "submodelElementList", "multiLanguageProperty"})
"""Elements whose `value` is a list."""
MODEL_TYPES = frozenset(
    {
        *("assetAdministrationShell", "submodel", "conceptDescription", "property", "range"),
        *("multiLanguageProperty", "submodelElementCollection", "submodelElementList", "file"),
        *("blob", "referenceElement", "relationshipElement", "annotatedRelationshipElement"),
        *("operation", "entity", "basicEventElement", "capability", "dataSpecificationIec61360"),
    }
)
WRAPPED = frozenset({"dataSpecificationContent"})
"""Elements that hold one element, whose name is its class."""


def parse_xml(content: bytes) -> ElementTree.Element:
    """A tree; what declares a document type is refused, since it could unfold without end.

    Raises:
        InvalidInput: it is no XML, or declares one.
    """
    try:
        _refuse_document_type(content)
        return ElementTree.fromstring(content)
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise InvalidInput(f"this is not valid XML: {error}", hint="send the file whole") from error


class _AtRoot(Exception):
    """The root element begins, before which a document type must stand."""


def _refuse_document_type(content: bytes) -> None:
    """Reads up to the root with the parser itself: it knows every encoding that there is."""

    def refuse(*_: object) -> None:
        raise InvalidInput("XML with a document type is not taken", hint="leave out <!DOCTYPE>")

    def at_root(*_: object) -> None:
        raise _AtRoot

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = at_root
    with contextlib.suppress(_AtRoot):
        parser.Parse(content, True)


def environment_of_xml(content: bytes) -> Json:
    """The environment that XML holds.

    Raises:
        InvalidInput: it is no XML, or its root is no environment.
    """
    root = parse_xml(content)
    if _name(root) != "environment":
        raise InvalidInput(f"the root is '{_name(root)}'", hint="it must be an environment")
    return _object(root)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _object(element: ElementTree.Element) -> Json:
    owner = _name(element)
    made: Json = {}
    if owner in MODEL_TYPES:
        made["modelType"] = owner[:1].upper() + owner[1:]
    for child in element:
        name = _name(child)
        is_list = name in LISTS or (name == "value" and owner in LISTING)
        made[name] = [_value(one) for one in child] if is_list else _value(child)
    return made


def _value(element: ElementTree.Element) -> Any:
    name = _name(element)
    children = list(element)
    if name in WRAPPED and len(children) == 1:
        return _object(children[0])
    if name == "value" and len(children) == 1 and _name(children[0]) in MODEL_TYPES:
        return _object(children[0])
    if children or name in MODEL_TYPES:
        return _object(element)
    text = element.text or ""
    if name in ("orderRelevant",):
        return text == "true"
    return text
