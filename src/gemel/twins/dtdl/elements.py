"""Elements: the nodes of a model while it is being checked, and the list of what is wrong."""

from __future__ import annotations

from typing import Any

from gemel.core.document import Json
from gemel.twins.dtdl.context import Context
from gemel.twins.dtdl.metamodel import Facet, Kind, Supplement

PARSING_ERROR = "dtmi:dtdl:parsingError:"


class Place:
    """Where in which model something stands, put into words only when it is wrong."""

    __slots__ = ("key", "model", "parent")

    def __init__(self, model: str, parent: Place | None = None, key: str = "") -> None:
        self.model = model
        self.parent = parent
        self.key = key

    def at(self, key: str, index: int | None = None) -> Place:
        return Place(self.model, self, key if index is None else f"{key}[{index}]")

    def __str__(self) -> str:
        keys = []
        place: Place | None = self
        while place is not None:
            if place.key:
                keys.append(place.key)
            place = place.parent
        path = ".".join(reversed(keys))
        return f"{self.model}, {path}" if path else self.model


class Problems:
    """Everything that is wrong with a set of models, in the order in which it was found."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, code: str, place: Place, rule: str, way_out: str) -> None:
        code = code if code[:1].isupper() else PARSING_ERROR + code
        self.found.append({"code": code, "message": f"{place}: {rule}. {way_out}."})


class Link:
    """A value of a property that is an element: written in place, or named by its id."""

    __slots__ = ("facet", "id", "inline", "place", "target")

    def __init__(self, id: str, place: Place, facet: Facet, target: Element | None = None) -> None:
        self.id = id
        self.place = place
        self.facet = facet
        self.target = target
        self.inline = target is not None


class Element:
    """One node: an interface, a telemetry, a schema..."""

    __slots__ = (
        "context",
        "extra",
        "has_refused_type",
        "id",
        "is_own",
        "kind",
        "links",
        "loose",
        "parent",
        "partition",
        "place",
        "raw",
        "segment",
        "supplements",
        "values",
        "via",
    )

    def __init__(self, kind: Kind, context: Context, place: Place, parent: Element | None) -> None:
        self.kind = kind
        self.context = context
        self.place = place
        self.parent = parent
        self.id = ""
        self.via = ""
        """Name of the property of `parent` that holds it."""
        self.segment = ""
        """Name of the own property that makes its id, when it is not given one."""
        self.values: dict[str, Any] = {}
        """Literals by property name."""
        self.links: dict[str, list[Link]] = {}
        """Elements by property name; those of supplements by property id."""
        self.extra: dict[str, Any] = {}
        """Literals of supplements by property id."""
        self.supplements: tuple[Supplement, ...] = ()
        self.loose: tuple[str, ...] = ()
        """Types that no known context defines."""
        self.has_refused_type = False
        self.partition: Element | None = None if parent is None else parent.partition or parent
        """The interface it stands in; None for an interface."""
        self.raw: Json = {}
        self.is_own = True
        """False for standard elements and for those of models known before."""

    @property
    def version(self) -> int:
        return self.kind.version

    @property
    def label(self) -> str:
        name = self.values.get("name")
        return name if isinstance(name, str) else self.id or str(self.place)

    @property
    def path(self) -> str:
        """Its id, or the one that the language makes out of its parent's and the way to it."""
        if self.id or self.parent is None:
            return self.id
        head, _, version = self.parent.path.partition(";")
        name = self.values.get(self.segment) if self.segment else None
        step = f":_{self.via}" if name is None else f":_{self.via}:__{name}"
        return f"{head}{step};{version}"

    def has_type(self, wanted: frozenset[str]) -> bool:
        """Whether one of these ids is its class, a parent of it, or one of its supplements.

        A class counts in every version of the language: `long` is still the one of DTDL 2.
        """
        for identifier in wanted:
            if identifier.startswith("dtmi:dtdl:class:"):
                if identifier[16:].partition(";")[0] in self.kind.ancestors:
                    return True
            elif any(identifier in one.lineage for one in self.supplements):
                return True
        return False
