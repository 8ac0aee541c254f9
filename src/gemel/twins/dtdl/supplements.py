"""Supplements: what quantities, annotations and other added types ask of elements around them."""

from __future__ import annotations

from collections.abc import Iterator

from gemel.twins.dtdl.elements import Element, Link, Problems
from gemel.twins.dtdl.metamodel import Constraint, SiblingRule, Supplement, metamodel
from gemel.twins.dtdl.structure import Structure


def _names(identifiers: frozenset[str]) -> str:
    return " or ".join(sorted({i.partition(";")[0].rpartition(":")[2] for i in identifiers}))


class SupplementRules:
    """Checks the constraints of supplements on elements whose links are resolved."""

    def __init__(self, structure: Structure, problems: Problems) -> None:
        self.structure = structure
        self.problems = problems

    def check(self) -> None:
        for element in self.structure.elements:
            for one in element.supplements:
                if element.version not in one.versions:  # which is wrong enough
                    continue
                for constraint in one.constraints:
                    if constraint.inverse:
                        self.check_parent(element, one, constraint)
                    else:
                        self.check_below(element, one, constraint)
                for rule in one.siblings:
                    self.check_sibling(element, one, rule)
                self.check_differs(element, one)

    def check_below(self, element: Element, one: Supplement, constraint: Constraint) -> None:
        for link in element.links.get(constraint.property, ()):
            target = link.target
            if target is None:
                continue
            if constraint.types and not target.has_type(constraint.types):
                rule = f"'{one.name}' needs a '{constraint.property}' of another type"
                way_out = f"Use {_names(constraint.types)}"
                self.problems.add("notRequiredType", link.place, rule, way_out)
            if constraint.values and target.id not in constraint.values:
                rule = f"'{one.name}' needs another '{constraint.property}'"
                way_out = f"Use {_names(constraint.values)}"
                self.problems.add("notRequiredValue", link.place, rule, way_out)

    def check_parent(self, element: Element, one: Supplement, constraint: Constraint) -> None:
        parent = element.parent
        if parent is None or element.via != constraint.property:
            return
        if not parent.has_type(constraint.types):
            rule = f"'{one.name}' stands in a {parent.kind.name} of another type"
            way_out = f"Put it into one with @type {_names(constraint.types)}"
            self.problems.add("wrongParent", element.place, rule, way_out)
        others = [s for s in self.siblings(element) if s is not element]
        if constraint.alone and any(s.has_type(frozenset({constraint.alone})) for s in others):
            rule = f"more than one element here is of type '{one.name}'"
            self.problems.add("wrongParent", element.place, rule, "Keep one of them")
        wanted = frozenset({constraint.beside}) if constraint.beside else frozenset()
        if wanted and not any(s.has_type(wanted) for s in others):
            rule = f"'{one.name}' needs an element of type {_names(wanted)} beside it"
            self.problems.add("wrongParent", element.place, rule, "Add one")

    def siblings(self, element: Element) -> Iterator[Element]:
        """Elements that stand beside it, inherited ones too."""
        parent = element.parent
        if parent is None:
            return
        links: list[Link] = parent.links.get(element.via, [])
        if element.via == "contents":
            links = list(self.structure.contents(parent).values())
        for link in links:
            if link.target is not None:
                yield link.target

    def check_sibling(self, element: Element, one: Supplement, rule: SiblingRule) -> None:
        name = element.extra.get(rule.keyref)
        if not isinstance(name, str):
            return
        key = rule.keyref.rpartition(":")[2]
        found = next((s for s in self.siblings(element) if s.values.get("name") == name), None)
        if found is None:  # the language lets a name stand that nothing beside it has
            return
        if rule.types and not found.has_type(rule.types):
            text = f"'{key}' names '{name}', which is a {found.kind.name}"
            way_out = f"Name a {_names(rule.types)}"
            self.problems.add("notSiblingRequiredType", element.place, text, way_out)
        if rule.banned and found.has_type(frozenset({rule.banned})):
            text = f"'{key}' names '{name}', which is of type {_names(frozenset({rule.banned}))}"
            way_out = "Name a content that is not of this type itself"
            self.problems.add("disallowedType", element.place, text, way_out)
        if rule.property:
            self.check_override(element, one, rule, found)

    def check_override(
        self, element: Element, one: Supplement, rule: SiblingRule, found: Element
    ) -> None:
        term = element.extra.get(rule.property)
        if not isinstance(term, str):
            return
        last = term.partition(";")[0].rpartition(":")[2]
        facet = next(
            (f for s in found.supplements for f in s.facets.values() if term in (f.id, f.name)),
            None,
        )
        if facet is None:
            text = f"'{one.name}' names '{last}', which no added type of '{found.label}' has"
            offered = {f.name for s in found.supplements for f in s.facets.values()}
            way_out = f"Name one of {', '.join(sorted(offered)) or 'none: it has no added type'}"
            self.problems.add("noMatchingSupplementalProperty", element.place, text, way_out)
            return
        schema = next((x.target for x in element.links.get("schema", ())), None)
        family = metamodel().families.get(facet.child_of)
        if schema is not None and family and schema.id != facet.child_of:
            text = f"it overrides '{last}' with values of another kind"
            way_out = f"Use the schema {facet.child_of.rpartition(':')[2]}"
            self.problems.add("siblingPropertyMismatch", element.place, text, way_out)
        for other in self.siblings(element):
            if other is not element and all(
                other.extra.get(key) == element.extra.get(key)
                for key in (rule.keyref, rule.property)
            ):
                text = f"'{other.label}' overrides '{last}' of '{found.label}' too"
                self.problems.add("multipleReference", element.place, text, "Keep one of them")

    def check_differs(self, element: Element, one: Supplement) -> None:
        for identifier, facet in one.facets.items():
            value = element.extra.get(identifier)
            if not facet.sibling or value is None:
                continue
            for other in self.siblings(element):
                if other is not element and other.extra.get(identifier) == value:
                    text = f"'{facet.name}' is {value!r}, as it is in '{other.label}'"
                    way_out = f"Give each another '{facet.name}'"
                    self.problems.add("nonUniquePropertyValue", element.place, text, way_out)
                    break
