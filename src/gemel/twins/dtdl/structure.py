"""Structure: depth, cycles, what may lie below what, and names that must differ."""

from __future__ import annotations

import json
from collections.abc import Iterable

import orjson

from gemel.twins.dtdl.elements import Element, Link, Problems
from gemel.twins.dtdl.metamodel import Facet, Rule, limit_in
from gemel.twins.dtdl.schema import INTEGER_RANGES

Contents = dict[str, Link]


def targets(element: Element, names: Iterable[str]) -> Iterable[Element]:
    for name in names:
        for link in element.links.get(name, ()):
            if link.target is not None:
                yield link.target


class Structure:
    """Checks elements whose links are resolved."""

    def __init__(self, elements: list[Element], problems: Problems, tolerant: bool = False) -> None:
        self.elements = elements
        self.problems = problems
        self.tolerant = tolerant
        """Accepts contents of one name, where the first counts; older tools let them pass."""
        self.imported: dict[Element, Contents] = {}
        self.has_circle = False

    def check(self) -> None:
        by_kind: dict[tuple[str, int], list[Element]] = {}
        for element in self.elements:
            self.check_unique(element)
            if element.kind.name == "Interface" and element.context.version.bytes:
                self.check_size(element)
            for name in element.kind.ancestors:
                by_kind.setdefault((name, element.version), []).append(element)
        versions = {
            element.context.version.number: element.context.version for element in self.elements
        }
        for version in versions.values():
            for rule in sorted(version.rules, key=lambda one: one.count is not None):
                roots = by_kind.get((rule.root, version.number))
                if roots:
                    self.check_rule(rule, roots)

    def check_size(self, interface: Element) -> None:
        most = limit_in(interface.context.version.bytes, interface.context.limits) or 0
        try:
            size = len(orjson.dumps(interface.raw))
        except TypeError:  # numbers that do not fit into 64 bits
            size = len(json.dumps(interface.raw, ensure_ascii=False).encode())
        if size > most:
            rule = f"the interface has {size} bytes"
            way_out = f"At most {most} are allowed; divide it, and extend the parts"
            self.problems.add("partitionTooLarge", interface.place, rule, way_out)

    def check_rule(self, rule: Rule, roots: list[Element]) -> None:
        if rule.datatype:
            for root in roots:
                self.check_datatype(root, rule)
            return
        if rule.imports:
            for root in roots:
                self.contents(root)
        if rule.depth is not None or rule.excluded:
            survey = Survey(self, rule)
            for root in roots:
                self.report(rule, root, survey)
        if rule.count is not None and self.has_circle:
            self.check_circles(rule, roots)
        if rule.count is not None and len(self.elements) > 1000:
            for root in roots:
                self.check_count(rule, root)

    def check_circles(self, rule: Rule, roots: list[Element]) -> None:
        """A circle is one too for who counts what lies below."""
        survey = Survey(self, rule)
        for root in roots:
            survey.measure(root)
        for element in survey.cyclic:
            text = "what lies below it leads back to it"
            way_out = "Break the circle; a Relationship may point anywhere"
            self.problems.add("recursiveStructureNarrow", element.place, text, way_out)

    def report(self, rule: Rule, root: Element, survey: Survey) -> None:
        depth, hit = survey.measure(root)
        word = "Narrow" if rule.narrow else "Wide"
        names = " or ".join(f"'{name}'" for name in sorted(rule.properties))
        if root in survey.cyclic and not rule.allow_self:
            text = f"it leads back to itself through {names}"
            way_out = "Break the circle; a Relationship may point anywhere"
            self.problems.add(f"recursiveStructure{word}", root.place, text, way_out)
            self.has_circle = True
            return
        most = limit_in(rule.depth, root.context.limits)
        if most is not None and depth > most:
            text = f"{names} go {depth} levels deep below it"
            way_out = f"At most {most} levels are allowed; make it flatter"
            self.problems.add(f"excessiveDepth{word}", root.place, text, way_out)
        if rule.excluded and hit is not None:
            text = f"it is a {root.kind.name} with a {rule.excluded} below it, at {hit.place}"
            way_out = f"A {root.kind.name} may not contain a {rule.excluded} at any depth"
            self.problems.add("excludedType", root.place, text, way_out)

    def followed(self, element: Element, rule: Rule) -> list[tuple[Element, bool]]:
        """What lies one step below, each with whether the step counts as a level."""
        found = []
        for name, links in element.links.items():
            counted = name in rule.properties
            if name.startswith("dtmi:") or not (counted or not rule.narrow):
                continue
            if name == "contents":
                links = list(self.contents(element).values())
            found += [(link.target, counted) for link in links if link.target is not None]
        inherits_all = "contents" not in element.links and element.kind.name == "Interface"
        if inherits_all and "contents" in rule.properties:
            links = list(self.contents(element).values())
            found += [(link.target, True) for link in links if link.target is not None]
        return found

    # --- inherited contents ------------------------------------------------------------------

    def contents(self, interface: Element) -> Contents:
        """Own and inherited contents by name; inherited ones first."""
        stack = [interface]
        pending: set[Element] = set()
        while stack:
            top = stack[-1]
            if top in self.imported:
                stack.pop()
                continue
            missing = [
                base
                for base in targets(top, ("extends",))
                if base not in self.imported and base not in pending
            ]
            if missing and top not in pending:
                pending.add(top)
                stack.extend(missing)
            else:
                self.imported[top] = self.merge(top)
                stack.pop()
        return self.imported[interface]

    def merge(self, interface: Element) -> Contents:
        merged: Contents = {}
        for base in targets(interface, ("extends",)):
            for name, link in self.imported.get(base, {}).items():
                self.put(interface, merged, name, link)
        own: Contents = {}
        for link in interface.links.get("contents", ()):
            if link.target is not None and isinstance(link.target.values.get("name"), str):
                own.setdefault(link.target.values["name"], link)
        is_many = bool(merged)
        for name, link in own.items():
            self.put(interface, merged, name, link)
        if is_many and interface.is_own:
            self.check_many(interface, merged)
        return merged

    def check_many(self, interface: Element, merged: Contents) -> None:
        """Inherited contents count with its own."""
        facet = interface.kind.facets["contents"]
        most = limit_in(facet.maximum, interface.context.limits)
        if most is not None and len(merged) > most:
            rule = f"it has {len(merged)} contents with those that it inherits"
            way_out = f"At most {most} are allowed; divide it"
            self.problems.add("objectCountAboveMax", interface.place, rule, way_out)

    def put(self, interface: Element, merged: Contents, name: str, link: Link) -> None:
        other = merged.setdefault(name, link)
        if other.target is not link.target and interface.is_own and other.target and link.target:
            rule = f"'{name}' is defined at {other.target.place} and again at {link.target.place}"
            way_out = "Names must differ among own and inherited contents; rename one"
            self.problems.add("nonUniqueImportedPropertyValue", interface.place, rule, way_out)

    # --- uniqueness, counts, values ----------------------------------------------------------

    def check_unique(self, element: Element) -> None:
        for name, links in element.links.items():
            if len(links) < 2 or name.startswith("dtmi:"):
                continue
            facet = links[0].facet
            for inner in facet.unique:
                self.check_unique_values(element, facet, links, inner)

    def check_unique_values(
        self, element: Element, facet: Facet, links: list[Link], inner: str
    ) -> None:
        seen: dict[object, Link] = {}
        for link in links:
            if link.target is None:
                continue
            value = link.target.values.get(inner)
            if value is None:
                continue
            first = seen.setdefault(value, link)
            let_pass = self.tolerant and element.version == 2 and facet.name == "contents"
            if first is not link and not let_pass:
                rule = f"'{facet.name}' has more than one element whose '{inner}' is '{value}'"
                way_out = f"Give each another '{inner}'"
                self.problems.add("nonUniquePropertyValue", link.place, rule, way_out)

    def check_count(self, rule: Rule, root: Element) -> None:
        seen = {root}
        stack = [root]
        most = limit_in(rule.count, root.context.limits) or 0
        while stack and len(seen) <= most + 1:
            for target, _ in self.followed(stack.pop(), rule):
                if target not in seen:
                    seen.add(target)
                    stack.append(target)
        if len(seen) - 1 > most:
            names = " or ".join(f"'{name}'" for name in sorted(rule.properties))
            text = f"more than {most} elements lie below it through {names}"
            self.problems.add("excessiveCount", root.place, text, "Divide it into several models")

    def check_datatype(self, root: Element, rule: Rule) -> None:
        schema = next(iter(targets(root, (rule.datatype,))), None)
        if schema is None:
            return
        wanted = schema.values.get("name")
        lowest, highest = INTEGER_RANGES["integer"]
        for one in targets(root, ("enumValues",)):
            value = one.values.get("enumValue")
            if value is None:
                continue
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            fits = isinstance(value, str) if wanted == "string" else is_whole
            if is_whole and not lowest <= value <= highest:
                fits = False
            if not fits:
                text = f"'enumValue' is {value!r}, but the '{rule.datatype}' is {wanted}"
                way_out = f"Write an integer within {lowest} to {highest}"
                way_out = "Write a string" if wanted == "string" else way_out
                self.problems.add("nonConformantDatatype", one.place, text, way_out)


class Survey:
    """For one rule: how deep each element goes, and the first excluded element below it."""

    def __init__(self, structure: Structure, rule: Rule) -> None:
        self.structure = structure
        self.rule = rule
        self.known: dict[Element, tuple[int, Element | None]] = {}
        self.cyclic: set[Element] = set()

    def measure(self, root: Element) -> tuple[int, Element | None]:
        stack: list[tuple[Element, list[tuple[Element, bool]], int]] = []
        open_: set[Element] = set()
        if root not in self.known:
            stack.append((root, self.structure.followed(root, self.rule), 0))
            open_.add(root)
        while stack:
            element, below, at = stack.pop()
            while at < len(below) and (below[at][0] in self.known or below[at][0] in open_):
                if below[at][0] in open_:
                    self.cyclic.add(below[at][0])
                at += 1
            if at < len(below):
                child = below[at][0]
                stack.append((element, below, at))
                stack.append((child, self.structure.followed(child, self.rule), 0))
                open_.add(child)
                continue
            open_.discard(element)
            self.known[element] = self.join(below)
        return self.known[root]

    def join(self, below: list[tuple[Element, bool]]) -> tuple[int, Element | None]:
        depth = 0
        hit: Element | None = None
        for child, counted in below:
            inner, inner_hit = self.known.get(child, (0, None))
            depth = max(depth, inner + (1 if counted else 0))
            if hit is None:
                is_excluded = self.rule.excluded in child.kind.ancestors
                hit = child if is_excluded else inner_hit
        return depth, hit
