"""Types: which class of the language an element is, and which supplements stand beside it."""

from __future__ import annotations

from typing import NamedTuple

from gemel.core.document import Json
from gemel.twins.dtdl.context import Context
from gemel.twins.dtdl.elements import Place, Problems
from gemel.twins.dtdl.metamodel import Facet, Kind, Supplement, metamodel
from gemel.twins.dtdl.schema import shown

ROOT = Facet("", "", "element", class_name="Interface", typed=True, identified=True)
"""Stands for the place at the top, which holds interfaces."""


class Types(NamedTuple):
    """What `@type` says."""

    kind: Kind
    supplements: tuple[Supplement, ...]
    loose: tuple[str, ...]
    """Names that nothing is known about."""
    has_refused: bool
    """Whether some of those are not allowed."""


class TypeReader:
    """Reads `@type`, noting what is wrong with it."""

    def __init__(self, problems: Problems) -> None:
        self.model = metamodel()
        self.problems = problems

    def read(self, raw: Json, facet: Facet, context: Context, place: Place) -> Types | None:
        names = raw.get("@type")
        if isinstance(names, str):
            names = [names]
        elif "@type" not in raw:
            names = []
        elif not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            rule = f"@type is {shown(raw['@type'])}"
            way_out = "It must be a string or an array of strings"
            code = "typeNotRootable" if facet is ROOT else "badType"
            self.problems.add(code, place, rule, way_out)
            return None
        classes: dict[str, Kind] = {}
        supplements: dict[str, Supplement] = {}
        loose: list[str] = []
        other: list[str] = []
        refused = len(self.problems.found)
        for name in names:
            found = context.cache.get(name) or self.look_up_type(name, context)
            if isinstance(found, Kind):
                classes[found.name] = found
            elif isinstance(found, Supplement):
                supplements[found.id] = found
            elif found == "otherVersion":
                other.append(name)
            else:
                self.take_loose_type(name, found, context, place)
                loose.append(name)
        if classes or facet is not ROOT:
            for name in other:
                self.refuse_class(name, context, place)
        has_refused = len(self.problems.found) > refused
        if has_refused and not classes and facet is not ROOT:
            return None
        kind = self.choose_class(classes, "@type" in raw, facet, context, place)
        if kind is None:
            return None
        self.check_supplements(supplements, kind, place)
        return Types(kind, tuple(supplements.values()), tuple(loose), has_refused)

    def look_up_type(self, name: str, context: Context) -> Kind | Supplement | str:
        """The class or supplement of this name, or what is unusual about the name."""
        identifier: str | None = name
        if name.startswith("dtmi:"):
            if not context.version.reference_pattern.match(name):
                return "invalidDtmi"
        elif ":" in name:
            return "foreign"
        else:
            identifier = context.resolve(name)
            if identifier is None:
                return "otherVersion" if name in self.model.class_names else "undefined"
        known = self.model.class_ids.get(identifier or "")
        found: Kind | Supplement | None = None
        if known is not None and known[1] == context.version.number:
            found = self.model.kinds[known]
        else:
            found = self.model.supplements.get(identifier or "")
        if isinstance(found, Kind) and not found.usable:
            return "otherVersion"
        if found is None:
            return "irrelevant" if known is None else "otherVersion"
        context.cache[name] = found
        return found

    def refuse_class(self, name: str, context: Context, place: Place) -> None:
        number = context.version.number
        rule = f"the type '{name}' is no class of elements in DTDL {number}"
        way_out = f"Name a class that DTDL {number} has elements of"
        self.problems.add("badType", place, rule, way_out)

    def take_loose_type(self, name: str, category: str, context: Context, place: Place) -> None:
        verdict = context.version.as_type[category]
        if verdict == "valid" or (verdict == "tenable" and not context.complete):
            return
        codes = {
            "invalidDtmi": ("typeInvalidDtmi", "is not a valid DTMI"),
            "irrelevant": ("typeIrrelevantDtmiOrTerm", "is no type that is known here"),
            "foreign": ("typeNotDtmiNorTerm", "is neither a DTMI nor a term of DTDL"),
            "undefined": ("typeUndefinedTerm", "is not defined by DTDL or an extension in use"),
        }
        code, rule = codes[category]
        way_out = "Correct its spelling, or add the extension that defines it to @context"
        self.problems.add(code, place, f"the type '{name}' {rule}", way_out)

    def choose_class(
        self,
        classes: dict[str, Kind],
        is_given: bool,
        facet: Facet,
        context: Context,
        place: Place,
    ) -> Kind | None:
        number = context.version.number
        wanted = self.expected(facet.class_name, number)
        way_out = f"Use @type {' or '.join(sorted(wanted)) or facet.class_name}"
        fits_version = not facet.versions or number in facet.versions
        if not fits_version:
            allowed = " or ".join(str(v) for v in sorted(facet.versions))
            rule = f"it is of DTDL {number}, inside an element that allows only {allowed}"
            self.problems.add(
                "disallowedVersionDefinition", place, rule, f"Use dtmi:dtdl:context;{allowed}"
            )
        if len(classes) > 1:
            rule = f"@type names several classes: {', '.join(classes)}"
            self.problems.add("multipleMaterialTypes", place, rule, "Keep one of them")
            return None
        if not classes:
            if facet.typed or is_given or len(wanted) != 1:
                rule = "it has no @type" if not is_given else "@type names no class of DTDL"
                code = "typeNotRootable" if facet is ROOT else "badType"
                self.problems.add(code, place, rule, way_out)
                return None
            kind = self.model.kinds[next(iter(wanted)), number]
        else:
            (kind,) = classes.values()
        if facet is ROOT and kind.name not in wanted:
            rule = f"a {kind.name} cannot stand at the top"
            self.problems.add("typeNotRootable", place, rule, "Put it into an Interface")
            return None
        if kind.name not in wanted:
            rule = f"a {kind.name} cannot be a value of '{facet.name}'"
            self.problems.add("badType", place, rule, way_out)
            return None
        return kind if fits_version else None

    def expected(self, class_name: str, version: int) -> frozenset[str]:
        """The classes that may be written where this class is wanted."""
        key = (class_name, version)
        if key not in _EXPECTED:
            _EXPECTED[key] = frozenset(
                kind.name
                for kind in self.model.kinds.values()
                if kind.version == version and kind.usable and class_name in kind.ancestors
            )
        return _EXPECTED[key]

    def check_supplements(self, found: dict[str, Supplement], kind: Kind, place: Place) -> None:
        for one in found.values():
            if one.abstract:
                rule = f"'{one.name}' is an abstract type"
                self.problems.add("abstractSupplementalType", place, rule, "Use one of its kinds")
            elif kind.version not in one.versions:
                rule = f"'{one.name}' does not apply to DTDL {kind.version}"
                allowed = ", ".join(str(v) for v in sorted(one.versions)) or "none"
                way_out = f"Use a context of DTDL {allowed}, or another version of the extension"
                self.problems.add("invalidCotypeVersion", place, rule, way_out)
            elif kind.name not in one.on and not any(other in found for other in one.instead):
                rule = f"'{one.name}' does not apply to a {kind.name}"
                allowed = " or ".join(sorted(one.on)) or "no element of a model"
                self.problems.add("invalidCotype", place, rule, f"It applies to {allowed}")
            for other in one.needs:
                if not any(other in beside.lineage for beside in found.values()):
                    name = self.name_of(other)
                    rule = f"'{one.name}' needs the type '{name}' beside it"
                    self.problems.add("missingCocotype", place, rule, f"Add '{name}' to @type")
            for other in one.bars:
                if any(other in beside.lineage for beside in found.values()):
                    rule = f"'{one.name}' and '{self.name_of(other)}' exclude each other"
                    self.problems.add("disallowedCocotype", place, rule, "Keep one of them")
        if len(found) > 1:
            self.check_shared(tuple(found.values()), place)

    def check_shared(self, found: tuple[Supplement, ...], place: Place) -> None:
        """Two supplements must not define the same property."""
        owners: dict[str, Supplement] = {}
        for one in found:
            for identifier, facet in one.facets.items():
                other = owners.setdefault(identifier, one)
                if other is not one:
                    rule = f"'{other.name}' and '{one.name}' both define '{facet.name}'"
                    self.problems.add(
                        "conflictingSupplementalTypes", place, rule, "Keep one of them in @type"
                    )
                    break

    def name_of(self, identifier: str) -> str:
        known = self.model.supplements.get(identifier)
        return known.name if known else identifier


_EXPECTED: dict[tuple[str, int], frozenset[str]] = {}
