"""STIX 2.1: strict reading, validation, deterministic ids and pattern matching.

    import entente
    report = entente.validate(open("bundle.json", "rb").read())
    for o in report.objects:
        for e in o.errors:
            print(o.id, e.code, e.pointer, e.message)

    pattern = entente.Pattern.compile("[domain-name:value = 'x.example']")
    pattern.match([observed_data_or_bundle, ...])

Takes JSON text (str, bytes), what json.loads gives, and objects of python-stix2. Thread-safe; the work is done without the interpreter's lock.
"""
from __future__ import annotations

import json as _json
from dataclasses import dataclass, field
from typing import Any, Iterable, List, Optional, Sequence, Union

from . import _entente

__all__ = ["Error", "PatternError", "LimitReached", "Finding", "ObjectReport", "Report", "Pattern", "Code", "codes", "deterministic_id", "match", "parse", "quote", "validate"]
__version__ = "0.1.0"


class Error(ValueError):
    """Text that is no JSON, or not what was asked for; says where and what to do."""


class PatternError(Error):
    """Text that is no pattern; says line, column and what was expected."""


class LimitReached(Error):
    """A match that could not be decided within the work allowed."""


@dataclass(frozen=True)
class Finding:
    """One rule that an object breaks. Codes are stable; docs/stix-codes.md lists them."""

    code: str
    level: str  # "error": what the standard demands; "warning": what it recommends
    pointer: str  # JSON pointer in the object
    message: str

    def __str__(self) -> str:
        return f"{self.code} {self.pointer or '/'}: {self.message}"


@dataclass(frozen=True)
class ObjectReport:
    """What was found on one object, bundle, or text that is no object."""

    id: str
    type: str
    line: int  # where it begins; 0 for what showed only beside later objects
    place: str  # JSON pointer in its document
    is_object: bool  # not a bundle's own members, nor text that is no object
    errors: List[Finding] = field(default_factory=list)
    warnings: List[Finding] = field(default_factory=list)

    @property
    def is_valid(self) -> bool:
        return not self.errors

    @property
    def object_id(self) -> str:
        """As stix2-validator calls it."""
        return self.id


@dataclass(frozen=True)
class Report:
    """Every object of the input, with or without findings."""

    objects: List[ObjectReport]
    complete: bool  # the memory was enough for the rules over several objects

    @property
    def is_valid(self) -> bool:
        return all(o.is_valid for o in self.objects)

    @property
    def errors(self) -> List[Finding]:
        return [f for o in self.objects for f in o.errors]

    @property
    def warnings(self) -> List[Finding]:
        return [f for o in self.objects for f in o.warnings]


@dataclass(frozen=True)
class Code:
    code: str
    level: str
    section: str  # of STIX 2.1
    rule: str


_MAX_OBJECT = 64 << 20
_MEMORY = 256 << 20


def _plain(o: Any) -> Any:
    """What json.dumps does not know: objects of python-stix2 (also inside lists), and other mappings."""
    if hasattr(o, "serialize"):
        return _json.loads(o.serialize())
    if hasattr(o, "keys"):
        return dict(o)
    raise TypeError(f"{type(o).__name__} is not STIX: give text, a dict, or a list of dicts")


def _text(data: Any) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")  # a lone surrogate is then refused with its place
    return _json.dumps(data, default=_plain, ensure_ascii=False).encode("utf-8", "surrogatepass")


def parse(data: Union[str, bytes], *, max_object: int = _MAX_OBJECT) -> List[dict]:
    """The objects of a bundle, TAXII envelope, list, single object or JSON lines, strictly read (I-JSON). Raises Error at the first fault, with its place."""
    try:
        return [_json.loads(text) for text in _entente.split(_text(data), max_object)]
    except ValueError as e:
        raise Error(str(e)) from None


def validate(data: Any, *, strict: bool = False, warnings: bool = True, disable: Iterable[str] = (), together: bool = True, max_object: int = _MAX_OBJECT, memory: int = _MEMORY) -> Report:
    """Validates everything that is in `data`.

    strict: unknown properties and custom content are errors. disable: codes to leave out. together: also the rules over several objects (versions, duplicates, translations),
    within `memory` octets. Faults of the JSON text are findings of the code S1-json.
    """
    known = {c.code for c in codes()}
    unknown = set(disable) - known
    if unknown:
        raise Error(f"no such code: {', '.join(sorted(unknown))}")
    rows, complete = _entente.validate(_text(data), strict, warnings, set(disable), together, max_object, memory)
    objects = []
    for id_, type_, line, place, is_object, findings in rows:
        o = ObjectReport(id_, type_, line, place, is_object)
        for code, error, pointer, message in findings:
            (o.errors if error else o.warnings).append(Finding(code, "error" if error else "warning", pointer, message))
        objects.append(o)
    return Report(objects, complete)


def deterministic_id(sco: Any) -> Optional[str]:
    """The UUIDv5 id of an observable (STIX 2.1 §2.9); None if it has no contributing property, so that a random UUID is due."""
    try:
        return _entente.deterministic_id(_text(sco))
    except ValueError as e:
        raise Error(str(e)) from None


def codes() -> List[Code]:
    """All rules that validate() knows."""
    return [Code(code, "error" if error else "warning", section, rule) for code, error, section, rule in _entente.codes()]


def quote(value: str) -> str:
    """A string as a constant of a pattern, in quotes: it's -> 'it\\'s'."""
    return _entente.quote(value)


def _observed(data: Any) -> List[Any]:
    """The observed-data in what match() was given, in order."""
    if isinstance(data, (list, tuple)):
        return [o for item in data for o in _observed(item)]
    kind = data.get("type")
    if kind == "observed-data":
        return [data]
    if kind == "bundle" or (kind is None and "objects" in data):
        return [o for item in data.get("objects", ()) for o in _observed(item)]
    return []


class Pattern:
    """A STIX pattern, ready to be matched. Conformance level 3; docs/pattern.md says where stix2-matcher differs."""

    def __init__(self, text: str, stix_version: Optional[str] = None) -> None:
        """`stix_version` is taken for the sake of programs written for stix2-matcher; both forms of observed-data are always read."""
        try:
            self._pattern = _entente.Pattern(text)
        except ValueError as e:
            raise PatternError(str(e)) from None

    @classmethod
    def compile(cls, text: str) -> "Pattern":
        """Raises PatternError."""
        return cls(text)

    @property
    def text(self) -> str:
        """Canonical text."""
        return self._pattern.text

    @property
    def warnings(self) -> List[str]:
        """What tools accept and the standard does not."""
        return list(self._pattern.warnings)

    def match(self, observed_data_sdos: Union[Any, Sequence[Any]], verbose: bool = False, *, lenient: bool = True, max_work: int = 50_000_000) -> List[Any]:
        """The observed-data of one binding, as they were given; an empty list if there is none.

        Takes observed-data with `objects` (2.0), bundles with observed-data and the objects they refer to (2.1), or a list of either. `verbose` prints the binding.
        Raises LimitReached if it cannot be decided with `max_work`, Error if the data is not legible.
        """
        try:
            outcome, total, bound = self._pattern.match(_text(observed_data_sdos), lenient, max_work)
        except ValueError as e:
            raise Error(str(e)) from None
        if outcome == 2:
            raise LimitReached(f"not decided within {max_work} units of work: raise max_work or give less data")
        given = _observed(observed_data_sdos) if not isinstance(observed_data_sdos, (str, bytes)) else [o for o in parse(observed_data_sdos) if o.get("type") == "observed-data"]
        by_id = {o.get("id"): o for o in given}
        out = []
        for index, id_, times in bound:
            if verbose:
                print(f"{id_ or f'observed-data number {index}'} serves {times} time(s)")
            out.append(given[index] if len(given) == total else by_id[id_])
        return out

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def match(pattern: str, observed_data_sdos: Union[Any, Sequence[Any]], verbose: bool = False, stix_version: Optional[str] = None) -> List[Any]:
    """As stix2matcher.matcher.match."""
    return Pattern(pattern, stix_version).match(observed_data_sdos, verbose)
