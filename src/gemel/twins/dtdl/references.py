"""References: finds the element that each id names, and checks that it may stand there."""

from __future__ import annotations

from collections.abc import Mapping

from gemel.twins.dtdl.elements import Element, Link, Problems
from gemel.twins.dtdl.interface import Interface
from gemel.twins.dtdl.metamodel import Facet, metamodel
from gemel.twins.dtdl.reader import Reader
from gemel.twins.dtdl.standards import FAMILY, standard_element

UNRESOLVED = "UnresolvedReference"
NONE: frozenset[str] = frozenset()


class References:
    """Resolves the links of all elements read; models known before are read when referred to."""

    def __init__(
        self, reader: Reader, known: Mapping[str, Interface], attempted: frozenset[str] = NONE
    ) -> None:
        self.reader = reader
        self.known = known
        self.attempted = attempted
        """Ids that documents tried to define; their own errors say why they are missing."""
        self.problems = reader.problems
        self.known_reader = Reader(Problems(), open_=True, tolerant=True)
        self.known_reader.is_own = False
        self.unresolved: dict[str, list[str]] = {}

    def resolve(self) -> None:
        for element in self.reader.elements:
            for links in element.links.values():
                for link in links:
                    if link.target is None:
                        self.resolve_link(element, link)
        self.resolve_known()
        for identifier, places in self.unresolved.items():
            self.problems.found.append(
                {
                    "code": UNRESOLVED,
                    "message": f"'{identifier}' is referred to but not known: {'; '.join(places)}. "
                    "Give its definition along with these models, or load it before.",
                }
            )

    def resolve_known(self) -> None:
        """Models known before were valid then: only their links are needed, not their errors."""
        done = 0
        while done < len(self.known_reader.elements):
            element = self.known_reader.elements[done]
            done += 1
            for links in element.links.values():
                for link in links:
                    # one interface, one element, however many documents hold it
                    if link.target is None or link.target.kind.name == "Interface":
                        link.target = self.find(link.id)

    def find(self, identifier: str) -> Element | None:
        found = self.reader.by_id.get(identifier) or self.known_reader.by_id.get(identifier)
        if found is None and identifier in self.known:
            raw = self.known[identifier].raw
            self.known_reader.read(raw, 0)
            found = self.known_reader.by_id.get(identifier)
        return found or standard_element(identifier)

    def resolve_link(self, element: Element, link: Link) -> None:
        target = self.find(link.id)
        if target is None:
            self.miss(link)
            return
        if target.is_own and target.partition is not None:
            here = element.partition or element
            if target.partition is not here:
                rule = f"'{link.id}' stands inside another interface, '{target.partition.id}'"
                way_out = "Only interfaces can be referred to from elsewhere; define it here too"
                self.problems.add("crossPartitionReference", link.place, rule, way_out)
                return
        if self.conforms(link, target):
            link.target = target

    def miss(self, link: Link) -> None:
        if link.id in self.attempted:
            return
        if link.id.startswith(("dtmi:dtdl:", "dtmi:standard:")):
            rule = f"'{link.id}' is not defined by DTDL"
            way_out = f"'{link.facet.name}' must be {self.reader.choices(link.facet)}"
            self.problems.add("undefinedReservedId", link.place, rule, way_out)
            return
        places = self.unresolved.setdefault(link.id, [])
        if len(places) < 5:
            places.append(str(link.place))

    @staticmethod
    def is_primitive_of(facet: Facet, target: Element) -> bool:
        """Whether it is a primitive schema of a version that may be referred to too.

        `double` is the same in all versions, under each of its ids.
        """
        kinds, name = metamodel().kinds, target.kind.name
        is_standard = not target.is_own and "PrimitiveSchema" in target.kind.ancestors
        return is_standard and any((name, version) in kinds for version in facet.versions)

    def conforms(self, link: Link, target: Element) -> bool:
        facet = link.facet
        class_name, _, version = facet.class_name.removeprefix("dtmi:dtdl:class:").partition(";")
        way_out = f"It must be {self.reader.choices(facet)}"
        if facet.class_name not in metamodel().families and (
            class_name not in target.kind.ancestors
        ):
            rule = f"'{facet.name}' refers to '{link.id}', which is a {target.kind.name}"
            code = "badType"
            if facet.child_of:
                code = "notRequiredType" if version == "2" else "wrongParent"
            self.problems.add(code, link.place, rule, way_out)
            return False
        is_other = bool(facet.versions) and target.version not in facet.versions
        is_other = is_other and not self.is_primitive_of(facet, target)
        if is_other or (version and version != str(target.version)):
            rule = f"'{facet.name}' refers to '{link.id}', which is of DTDL {target.version}"
            allowed = " or ".join(str(v) for v in sorted(facet.versions)) or version
            way_out = f"Refer to one of DTDL {allowed}, or raise the version of this one"
            self.problems.add("disallowedVersionReference", link.place, rule, way_out)
            return False
        if facet.among and target.values.get("name") not in facet.among:
            rule = f"'{facet.name}' is '{target.label}'"
            self.problems.add("incorrectPropertyValue", link.place, rule, way_out)
            return False
        family = facet.child_of
        if family and target.extra.get(FAMILY) != family:
            rule = f"'{facet.name}' is '{target.label}', which does not fit the type"
            code = "notRequiredType" if target.version == 2 else "wrongParent"
            self.problems.add(code, link.place, rule, way_out)
            return False
        return True
