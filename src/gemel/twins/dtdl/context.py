"""Contexts: which version and which extensions apply to an element, and what its terms mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gemel.twins.dtdl.metamodel import Version, metamodel

LANGUAGE = "dtmi:dtdl:context;"
SPECIFIER = re.compile(
    r"dtmi:[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?(?::[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?)*"
    r"(?:;[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,5})?)?"
)
WRITE_ONE = 'Write for example "@context": "dtmi:dtdl:context;3"'


@dataclass(frozen=True, slots=True)
class Context:
    """The contexts that hold for an element, its own and those it inherits."""

    version: Version
    extensions: tuple[str, ...] = ()
    complete: bool = True
    """False when a context was accepted that nothing is known about."""
    limits: str = ""
    """The limit specification; "" is the standard one."""
    tables: tuple[dict[str, str], ...] = ()
    reserved: tuple[str, ...] = ()
    cache: dict[str, Any] = field(default_factory=dict, compare=False)
    """What the reader found out about types in this context."""

    def resolve(self, term: str) -> str | None:
        """The id that a term stands for."""
        for table in self.tables:
            found = table.get(term)
            if found is not None:
                return found
        return None


Finding = tuple[str, str, str]
"""Code, rule and way out."""


def read_context(
    parent: Context | None, value: object, open_: bool | None
) -> tuple[Context | None, tuple[Finding, ...]]:
    """The context that a value of `@context` makes out of the parent's.

    Args:
        parent: that of the element around, None at the top.
        value: what stands in the model.
        open_: whether unknown extensions are accepted; None leaves it to the version.
    """
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        if isinstance(value, dict) or (
            isinstance(items, list) and any(isinstance(item, dict) for item in items)
        ):
            rule = "terms may not be defined in @context"
            return None, (("disallowedLocalContext", rule, WRITE_ONE),)
        rule = "@context must be a string or an array of strings"
        return None, (("invalidContext", rule, WRITE_ONE),)
    return _extend(parent and _Key(parent), tuple(items), open_)


class _Key:
    """Makes a context a cheap key of the cache: the same object, the same key."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context

    def __hash__(self) -> int:
        return id(self.context)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.context is self.context


@lru_cache(maxsize=1024)
def _extend(
    key: _Key | None, items: tuple[str, ...], open_: bool | None
) -> tuple[Context | None, tuple[Finding, ...]]:
    parent = key.context if key else None
    if not items:
        if parent is None:
            return None, (("emptyContext", "@context is empty", WRITE_ONE),)
        return parent, ()
    maker = _Maker(parent, open_)
    maker.take(items)
    return (maker.make() if not maker.findings else None), tuple(maker.findings)


class _Maker:
    def __init__(self, parent: Context | None, open_: bool | None) -> None:
        self.model = metamodel()
        self.parent = parent
        self.open = open_
        self.version = parent.version if parent else None
        self.extensions = dict.fromkeys(parent.extensions) if parent else {}
        self.complete = parent.complete if parent else True
        self.limits = parent.limits if parent else ""
        self.wants_limits = False
        self.findings: list[Finding] = []

    def take(self, items: tuple[str, ...]) -> None:
        start = 0
        early = []
        while start < len(items) and items[start] in self.model.implicit:
            early.append(items[start])
            start += 1
        while start < len(items) and items[start].startswith(LANGUAGE):
            self.take_language(items[start])
            start += 1
        if self.version is None:
            if not self.findings:
                rule = f"@context begins with '{items[0]}' and names no version of DTDL"
                self.findings.append(("missingDtdlContext", rule, WRITE_ONE + " first"))
            return
        if self.wants_limits and (start == len(items) or items[start] not in self.model.limits):
            known = " or ".join(f"'{name}'" for name in self.model.limits)
            rule = "#limitless must be followed at once by a limit specification"
            self.findings.append(("missingLimitContext", rule, f"Put {known} after it"))
        for item in (*early, *items[start:]):
            self.take_extension(item)

    def take_language(self, item: str) -> None:
        plain, mark, fragment = item.partition("#")
        number = plain.removeprefix(LANGUAGE).partition(".")[0]  # a minor version adds nothing
        known = self.model.versions
        if number != number.lstrip("0") or not SPECIFIER.fullmatch(plain):
            way_out = "Write it like 'dtmi:dtdl:context;3'"
            self.findings.append(("invalidContextSpecifier", f"'{item}' is not valid", way_out))
            return
        if not number.isdecimal() or int(number) not in known:
            names = ", ".join(str(v) for v in known)
            rule = f"'{item}' is no version of DTDL that is known"
            way_out = f"Use dtmi:dtdl:context; with one of {names}"
            self.findings.append(("unrecognizedContextVersion", rule, way_out))
            return
        self.version = known[int(number)]
        if self.version.number == 2 and "." in plain:
            rule = f"'{item}' has a minor version, which DTDL 2 does not have"
            way_out = "Write 'dtmi:dtdl:context;2'"
            self.findings.append(("invalidContextSpecifierForVersion", rule, way_out))
        if not mark:
            self.wants_limits = False
            return
        if fragment not in ("limits", "limitless"):
            rule = f"'#{fragment}' is not known"
            self.findings.append(("invalidContextFragment", rule, f"Write '{plain}'"))
        elif not self.version.limitless:
            rule = f"DTDL {number} has no #{fragment}"
            self.findings.append(("disallowedContextFragment", rule, f"Write '{plain}'"))
        elif fragment == "limits" and self.wants_limits:  # the standard ones, as without it
            self.wants_limits = False
        elif fragment == "limits":
            self.misplace(item)
        else:
            self.wants_limits = True

    def take_extension(self, item: str) -> None:
        if item.startswith(LANGUAGE):
            rule = f"'{item}' stands after an extension"
            self.findings.append(("dtdlContextFollowsAffiliate", rule, "Put it first in @context"))
            return
        problem = self.form_of(item, 2 if self.version is None else self.version.number)
        if problem:
            self.findings.append(problem)
            return
        if item in self.model.limits:
            self.take_limits(item)
        elif item in self.model.contexts:
            stem = item.partition(";")[0]
            for old in [name for name in self.extensions if name.partition(";")[0] == stem]:
                del self.extensions[old]
            self.extensions[item] = None
        elif self.open if self.open is not None else self.version is None or self.version.open:
            self.complete = False
        else:
            self.refuse(item)

    def take_limits(self, item: str) -> None:
        if not self.wants_limits and not self.limits:
            self.misplace(item)
        else:
            self.limits = self.model.limits[item]

    def misplace(self, item: str) -> None:
        rule = f"'{item}' applies only after a version marked #limitless"
        way_out = "Write 'dtmi:dtdl:context;4#limitless' just before it"
        self.findings.append(("misplacedLimitContext", rule, way_out))

    def refuse(self, item: str) -> None:
        stem = item.partition(";")[0]
        others = [name for name in self.model.contexts if name.partition(";")[0] == stem]
        if others:
            rule = f"this version of the extension '{item}' is not known"
            way_out = f"Use {' or '.join(others)}"
            self.findings.append(("unresolvableContextVersion", rule, way_out))
        else:
            rule = f"the extension '{item}' is not known"
            way_out = "Remove it from @context, with the types and properties that need it"
            self.findings.append(("unresolvableContextSpecifier", rule, way_out))

    @staticmethod
    def form_of(item: str, version: int) -> Finding | None:
        way_out = "Write a DTMI with a version, such as 'dtmi:dtdl:extension:historization;1'"
        if not item.startswith("dtmi:"):
            return ("nonDtmiContextSpecifier", f"the context '{item}' is not a DTMI", way_out)
        if not SPECIFIER.fullmatch(item):
            return ("invalidContextSpecifier", f"the context '{item}' is not valid", way_out)
        if ";" not in item:
            code = "invalidContextSpecifierForVersion" if version == 2 else "missingContextVersion"
            return (code, f"the context '{item}' has no version", way_out)
        if version == 2 and "." in item.partition(";")[2]:
            rule = f"the context '{item}' has a minor version, which DTDL 2 does not have"
            return ("invalidContextSpecifierForVersion", rule, "Leave out what follows the dot")
        return None

    def make(self) -> Context:
        assert self.version is not None
        names = (f"{LANGUAGE}{self.version.number}", *self.extensions)
        tables = tuple(self.model.contexts[name] for name in names)
        reserved = tuple(p for name in names for p in self.model.reserved.get(name, ()))
        return Context(
            self.version, tuple(self.extensions), self.complete, self.limits, tables, reserved
        )
