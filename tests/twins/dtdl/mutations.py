"""Models changed at random, so that two parsers can be compared on what neither was written for.

`cases(seed, version, bases)` changes valid models (and models that are nearly so) in one to three
ways each: contexts, types, ids, properties, literals, limits, extensions, structure.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gemel.twins.dtdl.metamodel import metamodel

Node = dict[str, Any]
EXTENSIONS = {
    2: ("dtmi:iotcentral:context;2",),
    3: (
        "dtmi:dtdl:extension:quantitativeTypes;1",
        "dtmi:dtdl:extension:historization;1",
        "dtmi:dtdl:extension:annotation;1",
        "dtmi:dtdl:extension:overriding;1",
        "dtmi:dtdl:extension:requirement;1",
        "dtmi:dtdl:extension:mqtt;1",
        "dtmi:dtdl:extension:mqtt;2",
        "dtmi:dtdl:extension:mqtt;3",
        "dtmi:dtdl:extension:historization;2",
        "dtmi:dtdl:extension:annotation;2",
        "dtmi:dtdl:extension:overriding;2",
        "dtmi:dtdl:extension:requirement;2",
    ),
    4: (
        "dtmi:dtdl:extension:quantitativeTypes;2",
        "dtmi:dtdl:extension:quantitativeTypes;3",
        "dtmi:dtdl:extension:historization;2",
        "dtmi:dtdl:extension:annotation;2",
        "dtmi:dtdl:extension:overriding;2",
        "dtmi:dtdl:extension:requirement;2",
        "dtmi:dtdl:extension:requirement;1",
        "dtmi:dtdl:extension:mqtt;2",
        "dtmi:dtdl:extension:mqtt;3",
    ),
}
PRIMITIVES = ("boolean", "date", "dateTime", "double", "duration", "float", "integer", "long")
PRIMITIVES_4 = ("byte", "bytes", "decimal", "short", "unsignedLong", "uuid", "scaledDecimal")
SHAPES = ("point", "lineString", "polygon", "multiPoint", "multiLineString", "multiPolygon")
LITERALS: tuple[Any, ...] = (
    "",
    "x",
    "a b",
    "double",
    "dtmi:com:example:Thing;1",
    "dtmi:com:example:none;9",
    0,
    1,
    -1,
    2.5,
    500,
    501,
    2**31,
    True,
    False,
    None,
    [],
    {},
    [1],
    ["x"],
    ["x", "y"],
    {"@value": "x"},
    {"@value": 1},
    {"@value": True, "@type": "xsd:boolean"},
    {"@value": "x", "@type": "xsd:string"},
    {"@value": "x", "@language": "en"},
    {"@id": "dtmi:com:example:Thing;1"},
    {"en": "x"},
    {"en": "x", "de": "y"},
    {"English": "x"},
    [{"@value": "x", "@language": "de"}],
    {"@type": "Array", "elementSchema": "double"},
)
IDS = (
    "dtmi:com:example:Thing",
    "dtmi:com:example:Thing;1.2",
    "dtmi:com:example:Thing;0",
    "dtmi:com:example:Thing;01",
    "dtmi:com:example:Thing;1#part",
    "dtmi:com:example:_thing;1",
    "dtmi:com:example:thing_;1",
    "dtmi:com:example:1thing;1",
    "dtmi:com:exa mple;1",
    "dtmi:dtdl:mine;1",
    "dtmi:standard:mine;1",
    "dtmi:iotcentral:mine;1",
    "dtmi:com::example;1",
    "dtmi:;1",
    "dtmi:x;999999999",
    "dtmi:x;1000000000",
    "dtmi:com:exämple;1",
    "urn:x",
    "Thing",
)


class Case(NamedTuple):
    kind: str
    """What was changed, first."""
    models: list[Any]


def cases(seed: int, version: int, bases: list[list[Any]], count: int) -> Iterator[Case]:
    """As many changed models as wanted; the same arguments give the same ones.

    Args:
        seed: of the random numbers.
        version: of DTDL, that the bases are of.
        bases: sets of models to change.
        count: how many.
    """
    dice = random.Random(f"{seed} {version}")
    for _ in range(count):
        models = copy.deepcopy(dice.choice(bases))
        changer = Changer(dice, version, models)
        kinds = [changer.change() for _ in range(dice.choice((1, 1, 1, 2, 3)))]
        yield Case(kinds[0], changer.models)


def transcribed(value: Any, version: int) -> Any:
    """A model of DTDL 2 with the contexts of a later version."""
    if isinstance(value, list):
        return [transcribed(item, version) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: transcribed(item, version) for key, item in value.items() if key != "@context"}
    if "@context" not in value:
        return made
    old = value["@context"] if isinstance(value["@context"], list) else [value["@context"]]
    new = []
    for one in old:
        if one == "dtmi:dtdl:context;2" and version > 2:
            units = f"dtmi:dtdl:extension:quantitativeTypes;{version - 2}"
            new += [f"dtmi:dtdl:context;{version}", units]
        else:
            new.append(one)
    return {"@context": new[0] if len(new) == 1 else new, **made}


class Changer:
    """Changes one set of models in place."""

    def __init__(self, dice: random.Random, version: int, models: list[Any]) -> None:
        self.dice = dice
        self.version = version
        self.models = models
        self.changes: dict[str, Callable[[], bool]] = {
            "context": self.change_context,
            "type": self.change_type,
            "id": self.change_id,
            "property": self.change_property,
            "literal": self.change_literal,
            "schema": self.change_schema,
            "limit": self.change_limit,
            "extension": self.add_extension,
            "structure": self.change_structure,
            "reference": self.change_reference,
        }

    def change(self) -> str:
        """Makes one change and tells its kind."""
        for _ in range(20):
            kind = self.dice.choice(list(self.changes))
            if self.changes[kind]():
                return kind
        return "none"

    def nodes(self) -> list[Node]:
        found: list[Node] = []
        stack: list[Any] = [*self.models]
        while stack:
            one = stack.pop()
            if isinstance(one, dict):
                found.append(one)
                stack += [v for k, v in one.items() if not k.startswith("@")]
            elif isinstance(one, list):
                stack += one
        return found

    def pick(self, *types: str) -> Node | None:
        """A node of one of these types; any for none."""

        def fits(node: Node) -> bool:
            names = node.get("@type", [])
            names = names if isinstance(names, list) else [names]
            return not types or any(name in types for name in names)

        found = [node for node in self.nodes() if fits(node)]
        return self.dice.choice(found) if found else None

    # --- the kinds of change -----------------------------------------------------------------

    def change_context(self) -> bool:
        node = self.pick("Interface") if self.dice.random() < 0.7 else self.pick()
        if node is None:
            return False
        dice = self.dice
        old = node.get("@context", [])
        old = list(old) if isinstance(old, list) else [old]
        language = f"dtmi:dtdl:context;{self.version}"
        known = [*metamodel().contexts, *EXTENSIONS[self.version]]
        odd = [
            "dtmi:dtdl:context;5",
            "dtmi:dtdl:context",
            language + "#limitless",
            language + "#limits",
            language + "#none",
            language + ".1",
            "dtmi:dtdl:extension:historization",
            "dtmi:dtdl:extension:historization;7",
            "dtmi:acme:context;1",
            "dtmi:acme:context",
            "dtmi:acme:con text;1",
            "http://schema.org/",
            "",
            5,
            {"term": "dtmi:acme:term;1"},
        ]
        choice = dice.randrange(7)
        if choice == 0:
            old.insert(dice.randint(0, len(old)), dice.choice(known))
        elif choice == 1:
            old.insert(dice.randint(0, len(old)), dice.choice(odd))
        elif choice == 2 and old:
            old.pop(dice.randrange(len(old)))
        elif choice == 3:
            dice.shuffle(old)
        elif choice == 4:
            node["@context"] = dice.choice([None, "", [], {}, 5, [5], *odd])
            return True
        elif choice == 5:
            old = [f"dtmi:dtdl:context;{dice.choice((2, 3, 4))}", *old[1:]]
        else:
            node.pop("@context", None)
            return True
        node["@context"] = old
        return True

    def change_type(self) -> bool:
        node = self.pick()
        if node is None:
            return False
        dice = self.dice
        old = node.get("@type", [])
        old = list(old) if isinstance(old, list) else [old]
        classes = sorted({name for name, version in metamodel().kinds if version == self.version})
        name = dice.choice(classes)
        odd = ["Foo", "dtmi:acme:Foo;1", "foo:bar", "", 5, None, "dtmi:acme:1;1", {"@id": "x"}]
        odd += [f"dtmi:dtdl:class:{name};{v}" for v in (2, 3, 4)]
        choice = dice.randrange(6)
        if choice == 0:
            node["@type"] = name
        elif choice == 1:
            node["@type"] = [*old, name]
        elif choice == 2:
            node["@type"] = [*old, dice.choice(odd)]
        elif choice == 3:
            node["@type"] = dice.choice(odd)
        elif choice == 4:
            node.pop("@type", None)
        else:
            node["@type"] = [f"dtmi:dtdl:class:{one};{self.version}" for one in old]
        return True

    def change_id(self) -> bool:
        node = self.pick()
        if node is None:
            return False
        dice = self.dice
        choice = dice.randrange(5)
        if choice == 0:
            node.pop("@id", None)
        elif choice == 1:
            known = [one["@id"] for one in self.nodes() if isinstance(one.get("@id"), str)]
            node["@id"] = dice.choice(known or ["dtmi:a;1"])
        elif choice == 2:
            node["@id"] = dice.choice((None, 5, [], {}, ["dtmi:a;1"], True))
        elif choice == 3:
            length = dice.choice((120, 127, 128, 129, 2046, 2047, 2048, 2049, 4097))
            node["@id"] = "dtmi:" + "a" * (length - 7) + ";1"
        else:
            node["@id"] = dice.choice(IDS)
        return True

    def change_property(self) -> bool:
        node = self.pick()
        if node is None:
            return False
        dice = self.dice
        keys = [key for key in node if not key.startswith("@")]
        names = sorted(name for kind in metamodel().kinds.values() for name in kind.facets)
        new = dice.choice(
            [
                dice.choice(names),
                dice.choice(names),
                "foo",
                "dtmi:acme:foo;1",
                "dtmi:acme:1foo;1",
                "foo:bar",
                "@value",
                "@language",
                "@graph",
                "@reverse",
                "unit",
                "",
            ]
        )
        choice = dice.randrange(4)
        if choice == 0 and keys:
            del node[dice.choice(keys)]
        elif choice == 1 and keys:
            old = dice.choice(keys)
            node[new] = node.pop(old)
        elif choice == 2 and keys:
            old = dice.choice(keys)
            node[f"dtmi:dtdl:property:{old};{dice.choice((2, 3, 4, self.version))}"] = (
                node.pop(old) if dice.random() < 0.5 else node[old]
            )
        else:
            node[new] = copy.deepcopy(dice.choice(LITERALS))
        return True

    def change_literal(self) -> bool:
        node = self.pick()
        if node is None:
            return False
        keys = [key for key in node if not key.startswith("@")]
        if not keys:
            return False
        dice = self.dice
        key = dice.choice(keys)
        if dice.random() < 0.3:
            node[key] = {"@value": node[key]}
            if dice.random() < 0.5:
                node[key]["@type"] = dice.choice(("xsd:string", "xsd:integer", "xsd:boolean", 5))
        elif dice.random() < 0.3:
            node[key] = [node[key], *([node[key]] if dice.random() < 0.5 else [])]
        else:
            node[key] = copy.deepcopy(dice.choice(LITERALS))
        return True

    def schema(self, depth: int) -> Any:
        dice = self.dice
        if depth <= 0:
            return dice.choice(
                (*PRIMITIVES, *PRIMITIVES, *PRIMITIVES_4, *SHAPES, "string", "nosuch")
            )
        inner = self.schema(depth - 1)
        kind = dice.choice(("Array", "Object", "Map", "Enum"))
        if kind == "Array":
            return {"@type": kind, "elementSchema": inner}
        if kind == "Object":
            return {"@type": kind, "fields": [{"name": "a", "schema": inner}]}
        if kind == "Map":
            key = {"name": "k", "schema": dice.choice(("string", "string", "string", "integer"))}
            return {"@type": kind, "mapKey": key, "mapValue": {"name": "v", "schema": inner}}
        wanted = dice.choice(("integer", "string", "string", "double"))
        value: Any = 1 if wanted == "integer" else "one"
        values = [
            {"name": "one", "enumValue": value},
            {"name": "two", "enumValue": dice.choice((2, "two", value))},
        ]
        return {"@type": kind, "valueSchema": wanted, "enumValues": values}

    def change_schema(self) -> bool:
        found = [node for node in self.nodes() if "schema" in node]
        if not found:
            return False
        self.dice.choice(found)["schema"] = self.schema(
            self.dice.choice((0, 0, 1, 1, 2, 4, 5, 6, 7, 8, 9))
        )
        return True

    def change_limit(self) -> bool:
        dice = self.dice
        node = self.pick()
        interface = self.pick("Interface")
        if node is None or interface is None:
            return False
        choice = dice.randrange(8)
        length = dice.choice((0, 63, 64, 65, 511, 512, 513))
        if choice == 0:
            node["name"] = "n" * length
        elif choice == 1:
            node[dice.choice(("displayName", "description", "comment"))] = "t" * length
        elif choice == 2:
            node[dice.choice(("displayName", "description"))] = {
                dice.choice(("en", "en-US", "zh-Hans", "EN", "e", "english", "es-419")): "t"
                * length
            }
        elif choice == 3:
            many = dice.choice((99, 100, 101, 300, 301))
            own = [{"@type": "Telemetry", "name": f"n{i}", "schema": "double"} for i in range(many)]
            interface["contents"] = own
        elif choice == 4:
            many = dice.choice((29, 30, 31, 99, 100, 101))
            fields = [{"name": f"n{i}", "schema": "double"} for i in range(many)]
            schema = {"@type": "Object", "fields": fields}
            if dice.random() < 0.5:
                values = [{"name": f"n{i}", "enumValue": i} for i in range(many)]
                schema = {"@type": "Enum", "valueSchema": "integer", "enumValues": values}
            interface["contents"] = [{"@type": "Telemetry", "name": "t", "schema": schema}]
        elif choice == 5:
            self.chain(dice.choice((1, 2, 9, 10, 11, 12, 13)))
        elif choice == 6:
            node[dice.choice(("maxMultiplicity", "minMultiplicity"))] = dice.choice(
                (-1, 0, 1, 2, 500, 501, 1.0)
            )
        else:
            node["name"] = dice.choice(("a_", "_a", "1a", "a-b", "ä", "a b", "A1_b", ""))
        return True

    def chain(self, length: int) -> None:
        """Interfaces each of which extends the next."""
        interface = self.models[0] if isinstance(self.models[0], dict) else {}
        context = interface.get("@context", f"dtmi:dtdl:context;{self.version}")
        made: list[Node] = [
            {"@context": context, "@id": f"dtmi:chain:I{i};1", "@type": "Interface"}
            for i in range(length + 1)
        ]
        for one, following in itertools.pairwise(made):
            one["extends"] = following["@id"]
        if self.dice.random() < 0.2:
            made[-1]["extends"] = made[0]["@id"]
        interface["extends"] = made[0]["@id"]
        self.models += made

    def add_extension(self) -> bool:
        """Adds a type of an extension, most often with its context and properties."""
        dice = self.dice
        table = metamodel()
        context = dice.choice(EXTENSIONS[self.version] + (f"dtmi:dtdl:context;{self.version}",))
        terms = {t: i for t, i in table.contexts[context].items() if i in table.supplements}
        if not terms:
            return False
        term = dice.choice(sorted(terms))
        supplement = table.supplements[terms[term]]
        fitting = sorted(supplement.on)
        node = self.pick(*fitting) if fitting and dice.random() < 0.85 else self.pick()
        if node is None:
            return False
        old = node.get("@type", [])
        node["@type"] = [*(old if isinstance(old, list) else [old]), term]
        if dice.random() < 0.9:
            for model in self.models:
                if isinstance(model, dict):
                    had = model.get("@context", [])
                    had = had if isinstance(had, list) else [had]
                    model["@context"] = [*had, *([] if context in had else [context])]
        for facet in supplement.facets.values():
            if dice.random() < 0.85:
                node[facet.name] = self.value_for(facet.name, facet.child_of)
        return True

    def value_for(self, name: str, family: str) -> Any:
        dice = self.dice
        units = metamodel().families.get(family)
        names = [one["name"] for one in self.nodes() if isinstance(one.get("name"), str)]
        some = {
            "annotates": names or ["x"],
            "overrides": ["unit", "annotates", "minimum", "name"],
            "index": [1, 2, 0, 1],
            "ttl": ["PT5M", "PT1H", "5 minutes", 5],
            "payloadFormat": ["Json/ecma/404", "x", ""],
            "commandTopic": ["a/b", "a/{commandName}", "a//b", "/"],
            "telemetryTopic": ["a/b", "{telemetryName}", "$a"],
        }.get(name)
        if units is not None and dice.random() < 0.8:
            return dice.choice(units[1])
        if some is not None and dice.random() < 0.9:
            return dice.choice(some)
        return copy.deepcopy(dice.choice(LITERALS))

    def change_structure(self) -> bool:
        """Moves, copies or wraps parts."""
        dice = self.dice
        nodes = self.nodes()
        one, other = dice.choice(nodes), dice.choice(nodes)
        keys = [key for key in one if isinstance(one[key], dict | list) and not key.startswith("@")]
        choice = dice.randrange(4)
        if choice == 0 and keys:
            key = dice.choice(keys)
            other[dice.choice((key, key, *keys))] = copy.deepcopy(one[key])
        elif choice == 1 and keys:
            key = dice.choice(keys)
            if isinstance(one[key], list) and one[key]:
                one[key].append(copy.deepcopy(dice.choice(one[key])))
        elif choice == 2:
            contents = one.setdefault("contents", [])
            if not isinstance(contents, list):
                return False
            name = dice.choice(("n1", "n2", "n1"))
            contents.append(dice.choice(self.contents_named(name)))
        else:
            self.models.append(copy.deepcopy(dice.choice(self.models)))
        return True

    def contents_named(self, name: str) -> list[Node]:
        request = {"name": "r", "schema": self.schema(1)}
        inner = {"@type": "Property", "name": "p", "schema": self.schema(self.dice.choice((0, 1)))}
        return [
            {"@type": "Telemetry", "name": name, "schema": self.schema(2)},
            {"@type": "Property", "name": name, "schema": self.schema(2), "writable": True},
            {"@type": "Command", "name": name, "request": request},
            {"@type": "Command", "name": name, "response": request, "commandType": "synchronous"},
            {"@type": "Relationship", "name": name, "properties": [inner], "writable": True},
            {"@type": "Relationship", "name": name, "target": self.dice.choice(IDS)},
            {"@type": "Component", "name": name, "schema": self.identifier()},
        ]

    def identifier(self) -> str:
        known = [one["@id"] for one in self.nodes() if isinstance(one.get("@id"), str)]
        return self.dice.choice([*known, *known, "dtmi:com:example:none;1"])

    def change_reference(self) -> bool:
        dice = self.dice
        node = self.pick()
        interface = self.pick("Interface")
        if node is None or interface is None:
            return False
        choice = dice.randrange(4)
        if choice == 0:
            interface["extends"] = dice.choice(
                [self.identifier(), [self.identifier(), self.identifier()]]
            )
        elif choice == 1:
            key = dice.choice(("schema", "elementSchema", "target", "contents", "request", "unit"))
            node[key] = dice.choice([self.identifier(), *IDS, "dtmi:dtdl:instance:Schema:double;2"])
        elif choice == 2:
            schema = {"@id": "dtmi:com:example:Shared;1", **self.as_object(self.schema(2))}
            interface["schemas"] = [schema]
            target = self.pick("Telemetry", "Property", "Field") or node
            target["schema"] = schema["@id"]
        else:
            schema = {"@id": "dtmi:com:example:Self;1", "@type": "Object"}
            schema["fields"] = [{"name": "again", "schema": schema["@id"]}]
            interface["schemas"] = schema
            node["schema"] = schema["@id"]
        return True

    def as_object(self, schema: Any) -> Node:
        return schema if isinstance(schema, dict) else {"@type": "Array", "elementSchema": schema}
