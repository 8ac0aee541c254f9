"""Reads JSON documents into elements, by the table: classes, ids, properties, literals.

What needs other elements (references, depth, uniqueness) is checked afterwards.
"""

from __future__ import annotations

from gemel.core.document import Json
from gemel.twins.dtdl.context import WRITE_ONE, Context, read_context
from gemel.twins.dtdl.elements import PARSING_ERROR, Element, Link, Place, Problems
from gemel.twins.dtdl.kinds import ROOT, TypeReader
from gemel.twins.dtdl.literals import Literals, flat, said, sole
from gemel.twins.dtdl.metamodel import Facet, Kind, limit_in, metamodel
from gemel.twins.dtdl.schema import shown

KEYWORDS = frozenset({"@context", "@id", "@type"})
ALL_KEYWORDS = "@context, @id and @type"
DEEPEST = 63
"""Levels of arrays and objects in a document: the official parser reads 64, its list among them."""
TERM_LIKE = ("identifier", "term")


def is_deeper(value: object, most: int) -> bool:
    """Whether arrays and objects stand more than so many levels inside each other."""
    level = [value]
    for _ in range(most):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return False
    return True


class Reader:
    """Collects the elements of documents; `problems` says what is wrong with them."""

    def __init__(self, problems: Problems, open_: bool | None, tolerant: bool = False) -> None:
        self.model = metamodel()
        self.problems = problems
        self.open = open_
        self.tolerant = tolerant
        """Accepts what older tools let pass: reserved ids, and {"@id": ...} for a reference."""
        self.types = TypeReader(problems)
        self.elements: list[Element] = []
        self.by_id: dict[str, Element] = {}
        self.is_own = True
        self._without_context = 0

    def tolerates(self, element: Element) -> bool:
        """Later versions were strict from their beginning."""
        return self.tolerant and element.version == 2

    def read(self, document: object, number: int) -> None:
        """Reads one document: an object, or an array of them, in arrays however deep."""
        for item in flat(document) if isinstance(document, list) else (document,):
            self.read_root(item, number)

    def read_root(self, raw: object, number: int) -> None:
        place = Place(f"document {number + 1}")
        if not isinstance(raw, dict):
            rule = f"it is {shown(raw)}"
            self.problems.add("notJsonObject", place, rule, "A model is a JSON object")
            return
        identifier = raw.get("@id")
        if isinstance(identifier, str):
            place = Place(identifier)
        if is_deeper(raw, DEEPEST):
            rule = f"it is nested more than {DEEPEST} levels deep"
            way_out = "Give inner parts ids and refer to them"
            self.problems.add("excessiveDepthWide", place, rule, way_out)
            return
        self.read_element(raw, ROOT, None, None, place)

    def read_element(
        self,
        raw: Json,
        facet: Facet,
        parent: Element | None,
        context: Context | None,
        place: Place,
    ) -> Element | None:
        context = self.context_of(raw, context, place)
        if context is None:
            return None
        self.check_keywords(raw, context, place, facet is ROOT)
        typed = self.types.read(raw, facet, context, place)
        if typed is None:
            self.check_id(raw, facet, context, place)
            if facet.segment and "@id" not in raw and not self.has_segment(facet.segment, raw):
                rule = f"'{facet.segment}' is missing, which makes its id"
                way_out = f"Add '{facet.segment}'"
                self.problems.add("missingDtmiSegPropertyValue", place, rule, way_out)
            return None
        kind = typed.kind
        element = Element(kind, context, place, parent)
        element.via = facet.name
        element.segment = facet.segment if "@id" not in raw else ""
        element.supplements = typed.supplements
        element.loose = typed.loose
        element.has_refused_type = typed.has_refused
        element.is_own = self.is_own
        if kind.name == "Interface":
            element.partition = None
        element.raw = raw
        self.read_id(raw, facet, element)
        self.elements.append(element)
        self.read_properties(raw, element)
        return element

    def context_of(self, raw: Json, context: Context | None, place: Place) -> Context | None:
        if "@context" not in raw:
            if context is None:
                self.problems.add("missingContext", place, "it has no @context", WRITE_ONE)
            return context
        made, findings = read_context(context, raw["@context"], self.open)
        self._without_context += bool(findings)
        for code, rule, way_out in findings:
            self.problems.add(code, place, rule, way_out)
        return made

    def check_keywords(self, raw: Json, context: Context, place: Place, is_root: bool) -> None:
        for key in map(str, raw):
            if not key.startswith("@") or key in KEYWORDS:
                continue
            if key == "@graph" and not isinstance(raw[key], dict):
                rule, way_out = f"@graph is {shown(raw[key])}", "Leave it out"
                self.problems.add("graphNotObject", place, rule, way_out)
            if key == "@graph":
                code = "topLevelGraphDisallowed" if is_root else "graphDisallowed"
                rule, way_out = "@graph is not allowed", "Give each interface on its own"
                self.problems.add(code, place, rule, way_out)
            elif context.version.strict_keywords:
                code = "topLevelKeywordDisallowed" if is_root else "keywordDisallowed"
                rule = f"the keyword '{key}' is not allowed"
                self.problems.add(code, place, rule, f"Use only {ALL_KEYWORDS}")

    # --- ids ---------------------------------------------------------------------------------

    def check_id(
        self, raw: Json, facet: Facet, context: Context, place: Place, kind: Kind | None = None
    ) -> str | None:
        """The id of an element when it has a usable one; its class may not be known."""
        identified = facet.identified or (kind is not None and kind.identified)
        if "@id" not in raw:
            if identified:
                code = "missingTopLevelId" if facet is ROOT else "missingRequiredId"
                rule = f"a {kind.name if kind else self.class_of(facet)} here needs an @id"
                way_out = "Give it one such as 'dtmi:com:example:Pump;1'"
                self.problems.add(code, place, rule, way_out)
            return None
        identifier = raw["@id"]
        if not isinstance(identifier, str):
            rule = f"@id is {shown(identifier)}"
            self.problems.add("idNotString", place, rule, "It must be a string that is a DTMI")
            return None
        version = context.version
        most, own = limit_in(version.id_length, context.limits), None
        if kind is not None and kind.name == "Interface":
            own = limit_in(version.interface_id_length, context.limits)
        too_long = most is not None and len(identifier) > most
        if too_long or (own is not None and len(identifier) > own):
            rule = f"the @id has {len(identifier)} characters"
            code = "idTooLong" if too_long else "idTooLongForType"
            self.problems.add(code, place, rule, f"At most {own or most} are allowed")
        elif not version.id_pattern.match(identifier):
            rule = f"the @id '{identifier}' is not a valid DTMI"
            way_out = "Write it like 'dtmi:com:example:Pump;1'"
            self.problems.add("invalidId", place, rule, way_out)
        return identifier

    def read_id(self, raw: Json, facet: Facet, element: Element) -> None:
        place, context = element.place, element.context
        identifier = self.check_id(raw, facet, context, place, element.kind)
        if identifier is None:
            return
        if not self.tolerates(element) and identifier.startswith(context.reserved):
            prefixes = ", ".join(context.reserved)
            rule = f"the @id '{identifier}' begins with a reserved prefix"
            self.problems.add("reservedId", place, rule, f"Do not begin an id with {prefixes}")
        element.id = identifier
        if identifier in self.by_id:
            if self.is_own:
                rule = f"'{identifier}' is defined more than once"
                way_out = "Keep one definition, and refer to it by its id elsewhere"
                self.problems.add("duplicateDefinition", place, rule, way_out)
        else:
            self.by_id[identifier] = element

    # --- properties --------------------------------------------------------------------------

    def read_properties(self, raw: Json, element: Element) -> None:
        seen: dict[str, str] = {}
        facets = element.kind.facets
        literals = Literals(
            self.problems, element.context.limits, element.context.version.strict_keywords
        )
        for key, value in raw.items():
            if key.startswith("@"):
                continue
            facet = facets.get(key)
            own = facet is not None
            if facet is None:
                facet = self.supplemental_facet(key, element)
                if facet is None:
                    self.take_loose_property(key, element)
                    continue
            first = seen.setdefault(facet.id, key)
            if first != key:
                rule = f"'{first}' and '{key}' are the same property"
                self.problems.add("duplicatePropertyName", element.place, rule, "Keep one of them")
                continue
            self.read_value(facet, value, element, literals, own)
        self.check_required(element, seen)

    def supplemental_facet(self, key: str, element: Element) -> Facet | None:
        if not element.supplements:
            return None
        identifier = key if key.startswith("dtmi:") else element.context.resolve(key)
        for one in element.supplements:
            facet = one.facets.get(identifier or "")
            if facet is not None:
                return facet
        return None

    def take_loose_property(self, key: str, element: Element) -> None:
        context, place = element.context, element.place
        kinds = ", ".join(f.name for f in element.kind.ordered)
        way_out = f"A {element.kind.name} has {kinds}"
        if key.startswith("dtmi:"):
            valid = context.version.reference_pattern.match(key)
            category = "irrelevant" if valid else "invalidDtmi"
        elif ":" in key:
            category = "foreign"
        else:
            category = "irrelevant" if context.resolve(key) else "undefined"
        if element.has_refused_type:  # its properties may well belong to the type
            return
        verdict = context.version.as_property[category]
        if verdict == "valid" or (verdict == "tenable" and not context.complete):
            if element.loose:
                return
            code = "noTypeThatAllows" if "@type" in element.raw else "inferredTypeDoesNotAllow"
        else:
            code = {
                "invalidDtmi": "propertyInvalidDtmi",
                "irrelevant": "propertyIrrelevantDtmiOrTerm",
                "foreign": "propertyNotDtmiNorTerm",
                "undefined": "propertyUndefinedTerm",
            }[category]
        rule = f"a {element.kind.name} has no property '{key}'"
        self.problems.add(code, place, rule, way_out)

    def read_value(
        self, facet: Facet, value: object, element: Element, literals: Literals, own: bool
    ) -> None:
        place = element.place.at(facet.name)
        name = facet.name if own else facet.id
        if facet.kind == "element":
            links = self.read_links(facet, value, element, place)
            element.links[name] = links
            return
        if facet.kind in TERM_LIKE:
            found = self.read_identifier(facet, value, element, place)
        else:
            count = len(self.problems.found)
            found = literals.read(facet, value, place)
            names = facet.name == element.segment and len(self.problems.found) > count
            only = sole(value)
            only = only.get("@value") if isinstance(only, dict) else only
            is_number = isinstance(only, int | float) and not isinstance(only, bool)
            if found is None and names and not is_number:
                self.problems.found[-1]["code"] = f"{PARSING_ERROR}dtmiSegPropertyNotStringOrNumber"
        if found is not None:
            (element.values if own else element.extra)[name] = found

    def read_identifier(
        self, facet: Facet, value: object, element: Element, place: Place
    ) -> str | None:
        """A DTMI that need not be known, such as the target of a relationship."""
        value = sole(value)
        if isinstance(value, list) and len(value) > 1:
            rule = f"'{facet.name}' has {len(value)} values but may have one"
            self.problems.add("identifierMultipleValues", place, rule, "Keep one of them")
            return None
        if value == [] and not facet.minimum:
            return None
        way_out = "Write a DTMI such as 'dtmi:com:example:Pump;1'"
        if not isinstance(value, str):
            rule = f"'{facet.name}' is {shown(value)}"
            self.problems.add("identifierNotString", place, rule, way_out)
            return None
        if facet.kind == "term":
            found = value if value.startswith("dtmi:") else element.context.resolve(value)
            if found is None:
                found = value
                if ":" not in value:
                    rule = f"'{facet.name}' is '{value}', which no extension in use defines"
                    way_out = "Write a term of an extension in @context, or the id of a property"
                    self.problems.add("identifierNotUri", place, rule, way_out)
            return found
        value = value if ":" in value else element.context.resolve(value) or value
        most = limit_in(facet.length, element.context.limits)
        if most is not None and len(value) > most:
            rule = f"'{facet.name}' has {len(value)} characters"
            self.problems.add("identifierTooLong", place, rule, f"At most {most} are allowed")
        elif facet.pattern is not None and not facet.pattern.match(value):
            rule = f"'{facet.name}' is '{value}'"
            self.problems.add("identifierNotDtmi", place, rule, f"It {said(facet)}. {way_out}")
        return value

    def read_links(self, facet: Facet, value: object, element: Element, place: Place) -> list[Link]:
        items = list(flat(value)) if isinstance(value, list) else [value]
        links = []
        single = not isinstance(value, list)
        unread = self._without_context
        for index, item in enumerate(items):
            here = place if single else element.place.at(facet.name, index)
            link = self.read_link(facet, item, element, here)
            if link is not None:
                links.append(link)
        most = limit_in(facet.maximum, element.context.limits)
        several = {link.id or id(link) for link in links}  # an id that stands twice is one value
        many = len(links) if most == 1 else len(several)
        if most is not None and many > most:
            code = "objectMultipleValues" if most == 1 else "objectCountAboveMax"
            rule = f"'{facet.name}' has {many} values"
            way_out = f"At most {most} {'is' if most == 1 else 'are'} allowed"
            self.problems.add(code, place, rule, way_out)
        elif len(links) < facet.minimum and self._without_context == unread:
            rule = f"'{facet.name}' has {len(links)} valid values"
            way_out = f"At least {facet.minimum} must be given"
            self.problems.add("objectCountBelowMin", place, rule, way_out)
        return links

    def read_link(self, facet: Facet, item: object, element: Element, place: Place) -> Link | None:
        if isinstance(item, str):
            return self.read_reference(facet, item, element, place)
        if not isinstance(item, dict):
            rule = f"'{facet.name}' is {shown(item)}"
            way_out = f"It must be an object, or the id of one, of type {self.class_of(facet)}"
            self.problems.add("refNotStringOrObject", place, rule, way_out)
            return None
        if item.keys() == {"@id"}:
            return self.read_id_object(facet, item["@id"], element, place)
        if facet.among or facet.child_of or (facet.class_name.startswith("dtmi:")):
            rule = f"'{facet.name}' is an object"
            way_out = f"It must be {self.choices(facet)}"
            code = "refObjectNotAllowed"
            if facet.among and "@id" not in item:
                code = "missingRequiredId"
            self.problems.add(code, place, rule, way_out)
            return None
        child = self.read_element(item, facet, element, element.context, place)
        if child is None or child.has_refused_type:
            return None
        return Link(child.id, place, facet, child)

    def read_id_object(
        self, facet: Facet, identifier: object, element: Element, place: Place
    ) -> Link | None:
        if self.tolerates(element) and isinstance(identifier, str):
            return self.read_reference(facet, identifier, element, place, "idRefBadDtmiOrTerm")
        rule = f"'{facet.name}' refers to {shown(identifier)} by an object with only @id"
        way_out = f'Write the id itself: "{facet.name}": {shown(identifier)}'
        self.problems.add("idReference", place, rule, way_out)
        return None

    def read_reference(
        self,
        facet: Facet,
        text: str,
        element: Element,
        place: Place,
        code: str = "badDtmiOrTerm",
    ) -> Link | None:
        version = element.context.version
        identifier: str | None = text
        if text.startswith("dtmi:"):
            most = limit_in(version.id_length, element.context.limits)
            valid = (most is None or len(text) <= most) and (
                bool(version.reference_pattern.match(text)) or text in self.model.units
            )
        else:
            identifier = element.context.resolve(text)
            valid = identifier is not None and ":" not in text
        if not valid or identifier is None:
            rule = f"'{facet.name}' is '{text}', which is neither a valid DTMI nor a known term"
            way_out = f"It must be {self.choices(facet)}"
            self.problems.add(code, place, rule, way_out)
            return None
        return Link(identifier, place, facet)

    def class_of(self, facet: Facet) -> str:
        return facet.class_name.rpartition(":")[2].partition(";")[0]

    def choices(self, facet: Facet) -> str:
        if facet.among:
            return " or ".join(sorted(facet.among))
        family = self.model.families.get(facet.child_of)
        if family:
            names = family[1]
            return f"one of {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}"
        return f"a DTMI, or a term of DTDL, for a {self.class_of(facet)}"

    def check_required(self, element: Element, seen: dict[str, str]) -> None:
        for facet in element.kind.ordered:
            if facet.minimum and facet.id not in seen:
                self.miss(facet, element, "")
        for one in element.supplements:
            for facet in one.facets.values():
                if facet.minimum and facet.id not in seen:
                    self.miss(facet, element, one.name)

    def has_segment(self, name: str, raw: Json) -> bool:
        """Whether the property that makes an id is there, in any version of its name."""
        return name in raw or any(str(key).startswith(f"dtmi:dtdl:property:{name};") for key in raw)

    def miss(self, facet: Facet, element: Element, supplement: str) -> None:
        group = {"element": "Object", "identifier": "Identifier", "term": "Identifier"}
        word = group.get(facet.kind, "Literal")
        code = f"missing{'Supplemental' if supplement else ''}{word}Property"
        if facet.name == element.segment and not self.has_segment(facet.name, element.raw):
            code = "missingDtmiSegPropertyValue"
        rule = f"'{facet.name}' is missing, which a {supplement or element.kind.name} needs"
        way_out = f"Add '{facet.name}'"
        if facet.kind == "element":
            way_out += f": {self.choices(facet)}"
        self.problems.add(code, element.place, rule, way_out)
