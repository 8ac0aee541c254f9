"""Makes `src/gemel/twins/dtdl/metamodel.json` from the public DTDL digest.

    python scripts/dtdl_metamodel.py dtdl_digest.json src/gemel/twins/dtdl/metamodel.json

The table has our own shape, described in docs/reference/dtdl.md; what can be derived is left out.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

CLASS = re.compile(r"dtmi:dtdl:class:(\w+);(\d)$")
LOOSE = {
    "invalidDtmi": "invalidDtmi",
    "irrelevant": "irrelevantDtmiOrTerm",
    "foreign": "notDtmiNorTerm",
    "undefined": "undefinedTerm",
}
QUANTITY = "dtmi:dtdl:extension:quantitativeTypes;"


def trim(value: dict) -> dict:
    return {k: v for k, v in value.items() if v or (v == 0 and v is not False)}


def length(value):
    """A limit that is the same everywhere is a number, else one for each limit specification."""
    if isinstance(value, dict):
        return value[""] if len(set(value.values())) == 1 else value
    return value


def facets(digest: dict) -> dict:
    return trim(
        {
            "min": digest.get("minCount"),
            "max": length(digest.get("maxCount")),
            "length": length(digest.get("maxLength")),
            "pattern": digest.get("pattern"),
            "shape": (digest.get("patternDesc") or {}).get("en-us"),
            "least": digest.get("minInclusive"),
            "most": digest.get("maxInclusive"),
            "exactly": [digest["value"]] if "value" in digest else None,
            "class": digest.get("class"),
            "versions": digest.get("versions"),
            "among": digest.get("values"),
            "unique": digest.get("uniqueProperties"),
            "typed": digest.get("typeRequired") if "class" in digest else None,
            "identified": digest.get("idRequired"),
        }
    )


def material_property(digest: dict) -> dict:
    general = digest["_"]
    made: dict = {"kind": "element" if not general["literal"] else general.get("datatype", "any")}
    if not general["literal"] and "class" not in general:
        made["kind"] = "identifier"
    if general["plural"]:
        made["plural"] = True
    if general.get("dtmiSegment"):
        made["segment"] = general["dtmiSegment"]
    versions = {}
    for version in "234":
        one = digest.get(version)
        if one is not None and one["allowed"]:
            versions[version] = facets(one)
    common = {
        k: v
        for k, v in next(iter(versions.values()), {}).items()
        if all(other.get(k) == v for other in versions.values())
    }
    made.update(common)
    made["in"] = {
        v: {k: x for k, x in one.items() if k not in common} for v, one in versions.items()
    }
    return made


def classes(digest: dict) -> dict:
    made = {}
    for name, source in digest["materialClasses"].items():
        own = {
            p: material_property(f)
            for p, f in source["properties"].items()
            if not f["_"]["inherited"] and any(f.get(v, {}).get("allowed") for v in "234")
        }
        usable = [v for v in "234" if name in source["concreteSubclasses"].get(v, [])]
        made[name] = trim(
            {
                "parent": source["parentClass"],
                "versions": source["dtdlVersions"],
                "usable": [int(v) for v in usable if source["overt"]],
                "identified": bool(source["idRequiredVersions"]) and bool(usable),
                "untyped": bool(source["typeOptionalVersions"]),
                "elemental": name in source["elementalSubclasses"]["4"],
                "instance": instance(source.get("instance")),
                "properties": own,
            }
        )
    for v in (2, 3, 4):  # what the reader derives from parents must be what the digest says
        for name, source in digest["materialClasses"].items():
            derived = sorted(
                n
                for n, c in made.items()
                if v in c.get("usable", []) and name in ancestors(made, n)
            )
            stated = source["concreteSubclasses"].get(str(v), [])
            if derived != stated and source["overt"]:
                raise SystemExit(f"subclasses of {name};{v}: derived {derived}, digest {stated}")
    return made


def instance(digest: dict | None) -> dict | None:
    """What a value must be; the same in every version of the language that has the class."""
    if digest is None:
        return None
    found = [digest[v] for v in "234" if v in digest]
    if any(one != found[0] for one in found):
        raise SystemExit(f"instances differ between versions: {found}")
    element, child = found[0]["element"], found[0]["eachChild"]
    return trim(
        {
            "json": element.get("jsonType"),
            "datatype": element.get("datatype"),
            "pattern": element.get("pattern"),
            "through": element.get("instanceProperty"),
            "inner": child.get("instanceProperty"),
            "value": element.get("hasValue"),
            "name": element.get("nameHasValue"),
            "words": digest.get("typeText"),
            "standard": digest.get("conformanceText"),
        }
    )


def ancestors(made: dict, name: str | None) -> list[str]:
    chain = []
    while name:
        chain.append(name)
        name = made[name].get("parent")
    return chain


def terms(context: dict) -> dict:
    """Terms grouped by the pattern of their ids, where * stands for the term."""
    groups: dict[str, list[str]] = {}
    others = {}
    for term, identifier in sorted(context.items()):
        head, mark, tail = identifier.partition(";")
        stem, colon, last = head.rpartition(":")
        if last == term:
            groups.setdefault(f"{stem}{colon}*{mark}{tail}", []).append(term)
        else:
            others[term] = identifier
    return trim({"groups": {k: " ".join(v) for k, v in groups.items()}, "others": others})


def supplemental_property(identifier: str, digest: dict) -> dict:
    made = facets(digest)
    for key in ("versions", "among", "typed"):
        made.pop(key, None)
    kind = digest.get("type", "")
    made["name"] = digest["propertyName"]
    if kind.startswith("http://www.w3.org/2001/XMLSchema#"):
        made["kind"] = kind.partition("#")[2]
    elif kind:
        made["kind"], made["class"] = "element", kind
    else:
        made["kind"] = "term"
    made["in"] = digest.get("childOf")
    made["sibling"] = digest["uniqueValue"] or None
    return trim(made)


def supplemental(source: dict) -> dict:
    return trim(
        {
            "kind": source["extensionKind"] if source["extensionKind"] != "None" else None,
            "abstract": source["abstract"],
            "parent": source["parent"],
            "on": source["cotypes"],
            "versions": source["cotypeVersions"],
            "with": source.get("cocotypes"),
            "without": source.get("discotypes"),
            "or": source.get("altcotypes"),
            "properties": {k: supplemental_property(k, p) for k, p in source["properties"].items()},
            "constraints": [constraint(c) for c in source["constraints"]],
            "siblings": [
                trim(
                    {
                        "key": s.get("key"),
                        "keyref": s.get("keyref"),
                        "types": s.get("requiredTypes"),
                        "not": s.get("disallowedType"),
                        "property": s.get("supplementalProperty"),
                        "once": s.get("uniqueReference"),
                    }
                )
                for s in source["siblings"]
            ],
        }
    )


def constraint(source: dict) -> dict:
    return trim(
        {
            "property": source["property"],
            "types": source.get("requiredTypes"),
            "values": source.get("requiredValues"),
            "inverse": source.get("inverse"),
            "alone": source.get("noneOtherType"),
            "beside": source.get("someOtherType"),
            "key": source.get("siblingKey"),
            "keyref": source.get("siblingKeyref"),
            "parentOf": source.get("siblingParentOf"),
        }
    )


def quantities(digest: dict) -> tuple[dict, set[str]]:
    """Quantity -> family of units, and family -> units, for each context that has them."""
    made, covered = {}, set()
    for context, kinds in digest["quantitativeTypes"].items():
        two = context == "dtmi:dtdl:context;2"
        version = context.rpartition(";")[2]
        prefix = f"dtmi:dtdl:extension:quantitativeTypes:v{version}:"
        name = "class:QuantitativeType"
        base = f"dtmi:standard:{name};2" if two else prefix + name
        plain = {}
        for quantity, family in kinds.items():
            identifier = digest["contexts"][context][quantity]
            source = digest["supplementalTypes"][identifier]
            (one,) = source["properties"].values()
            same = (
                source["parent"] == base
                and not source["constraints"]
                and source["cotypes"] == digest["supplementalTypes"][base]["cotypes"]
                and (one["typeName"] == family if two else one["childOf"].endswith(":" + family))
            )
            if same:
                plain[quantity] = family
                covered.add(identifier)
        units = {f: " ".join(names) for f, names in digest["units"][context].items()}
        made[context] = {"base": base, "types": plain, "units": units}
        for family in units:
            covered.add(f"dtmi:standard:class:{family};2")
    return made, covered


def shorthand(element, known: dict):
    """A standard schema as nested lists: [kind, ...] or the id of another schema."""
    if isinstance(element, str):
        return known.get(element, element)
    kind = element["@type"]
    identifier = element.get("@id", "")
    if kind == "Array":
        body = shorthand(element["elementSchema"], known)
    elif kind == "Enum":
        body = {v["name"]: v["enumValue"] for v in element["enumValues"]}
    else:
        body = {f["name"]: shorthand(f["schema"], known) for f in element["fields"]}
    return [kind, identifier, body]


def schemas(digest: dict) -> list:
    made = {}
    for element in digest["elements"]:
        if element["@type"] not in ("Array", "Enum", "Object"):
            continue
        context = element["@context"]
        context = context if isinstance(context, str) else context[-1]
        if context.startswith(QUANTITY):
            continue
        short = shorthand(element, {})
        identifier = element["@id"]
        # the same schema in several versions is written once, with ;* for the version
        head, _, version = identifier.partition(";")
        text = json.dumps(short).replace(f";{version}", ";*")
        made.setdefault((head, text), []).append(int(version))
    return [
        {"id": head, "versions": versions, "schema": json.loads(text)}
        for (head, text), versions in made.items()
    ]


def main(digest_path: str, out_path: str) -> None:
    digest = json.loads(Path(digest_path).read_text(encoding="utf-8-sig"))
    table, covered = quantities(digest)
    extra_types = {
        k: supplemental(v) for k, v in digest["supplementalTypes"].items() if k not in covered
    }
    # prefixes and ratios of units belong to the units themselves, which models only refer to
    versions = {}
    for version in digest["dtdlVersions"]:
        v = str(version)
        rules = digest["apocrypha"][v]
        versions[v] = {
            "id": {k: length(x) for k, x in digest["identifierDefinition"][v].items()},
            "reference": {k: length(x) for k, x in digest["identifierReference"][v].items()},
            "interfaceId": length(digest["identifierDefinition"]["Interface"][v]["maxLength"]),
            "bytes": length(digest["partitions"][v].get("maxBytes")),
            "openByDefault": version in digest["dtdlVersionsAllowingUndefinedExtensionsByDefault"],
            "strictKeywords": version in digest["dtdlVersionsRestrictingKeywords"],
            "limitless": version in digest["dtdlVersionsAllowingCustomLimits"],
            "asType": {k: rules[d + "AsCotype"] for k, d in LOOSE.items()},
            "asProperty": {k: rules[d + "AsProperty"] for k, d in LOOSE.items()},
        }
    descent = []
    for rule in digest["descendantControls"]:
        rule = {k: v for k, v in rule.items() if k != "entailments"}
        rule["maxDepth"] = length(rule.get("maxDepth"))
        rule["maxCount"] = length(rule.get("maxCount"))
        if rule["rootClass"] in ("Array", "Object", "Map", "Enum") and rule["maxDepth"]:
            continue  # the same as for their parent, ComplexSchema
        descent.append(trim(rule))
    made = {
        "versions": versions,
        "classes": classes(digest),
        "descent": descent,
        "contexts": {k: terms(v) for k, v in digest["contexts"].items()},
        "implicitVersions": digest["affiliateContextsImplicitDtdlVersions"],
        "limits": {k: v["spec"] for k, v in digest["limitContexts"].items()},
        "reserved": digest["reservedIdPrefixes"],
        "types": extra_types,
        "quantities": table,
        "schemas": schemas(digest),
        "rootable": digest["rootableClasses"],
    }
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    Path(out_path).write_text(text + "\n", encoding="utf-8")
    print(f"{len(text) / 1000:.0f} kB, {len(extra_types)} types")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
