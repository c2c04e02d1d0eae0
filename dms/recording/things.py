"""A table of things: a graph of objects as plain JSON values, and back, what is shared kept shared.

Numbers, texts and enumerations stand where they are used, everything else is an entry of the table and
referred to as `{"@": 7}`. Only classes of `dms.assess`, `dms.alerts`, `dms.records` and `dms.config` are
made; nothing in a table is ever executed.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import ValidationError

import dms.alerts
import dms.assess
import dms.config
import dms.records
from dms.config.section import Section
from dms.errors import InputError
from dms.recording.codec import decode_array, encode_array, encode_float

_PACKAGES = (dms.assess, dms.alerts, dms.records, dms.config)
_PLAIN = frozenset({type(None), bool, int, str})
_CONTAINERS: dict[type, str] = {
    list: "list", dict: "dict", MappingProxyType: "dict", deque: "deque", set: "set", frozenset: "frozenset",
}  # fmt: skip


Place = Any
"""Where a value was found: a name, or a pair of the place of its owner and its name there."""


class ThingWriter:
    """Fills a table, `things`.

    Sections of the configuration never change: with `constants`, a second table that may be filled over many
    checkpoints, they are written there, once, and referred to as `{"$": 3}`.
    """

    def __init__(self, constants: ThingWriter | None = None, tag: str = "@") -> None:
        self.things: list[Any] = []
        self._constants = constants
        self._tag = tag
        self._index_of: dict[int, int] = {}
        self._kept: list[object] = []  # so that no `id` is given away again while we write

    def refer(self, value: object, where: Place) -> Any:
        """A value, or a reference to the thing it is; `where` tells of it in an error.

        Raises:
            InputError: it is, or holds, what no table can keep.
        """
        kind = type(value)
        if kind in _PLAIN:
            return value
        if isinstance(value, float):
            return encode_float(value)
        if isinstance(value, Enum):
            return {"enum": [_name(kind), value.value]}
        if isinstance(value, tuple) and kind is tuple:
            return {"tuple": [self.refer(item, where) for item in value]}
        if self._constants is not None and isinstance(value, Section):
            return self._constants.refer(value, where)
        index = self._index_of.get(id(value))
        if index is None:
            index = self._index_of[id(value)] = len(self.things)
            self._kept.append(value)
            self.things.append(None)
            self.things[index] = self._thing(value, where)
        return {self._tag: index}

    def _thing(self, value: Any, where: Place) -> list[Any]:
        kind = type(value)
        if kind in _CONTAINERS:
            return self._container(value, where)
        if kind is np.ndarray:
            return ["array", encode_array(value)]
        if _name(kind) not in classes():
            raise InputError(
                f"{_path(where)} is a {kind.__module__}.{kind.__qualname__}, which no checkpoint can keep"
            )
        values = {name: self.refer(item, (where, name)) for name, item in _attributes(value)}
        return ["object", _name(kind), values]

    def _container(self, value: Any, where: Place) -> list[Any]:
        kind = _CONTAINERS[type(value)]
        if kind == "dict":
            pairs = [[self.refer(k, where), self.refer(v, (where, k))] for k, v in value.items()]
            return [kind, pairs]
        items = [self.refer(item, where) for item in value]
        return [kind, items, value.maxlen] if kind == "deque" else [kind, items]


class ThingReader:
    """Makes the things of a table, each once."""

    def __init__(self, things: list[Any], constants: ThingReader | None = None, tag: str = "@") -> None:
        self._things = things
        self._constants = constants
        self._tag = tag
        self._made: dict[int, Any] = {}

    def value(self, written: Any) -> Any:
        """The value that was written, or the thing that was referred to."""
        if written is None or isinstance(written, bool | int | float | str):
            return written
        if isinstance(written, dict) and len(written) == 1:
            ((tag, content),) = written.items()
            if tag == self._tag:
                return self._thing(content)
            if tag == "$" and self._constants is not None:
                return self._constants.value(written)
            if tag == "tuple" and isinstance(content, list):
                return tuple(self.value(item) for item in content)
            if tag == "enum" and isinstance(content, list) and len(content) == 2:
                return self._enum(*content)
            if tag == "float" and content in ("nan", "inf", "-inf"):
                return float(content)
        raise InputError(f"checkpoint: cannot be read: {written!r:.80}")

    def _enum(self, name: Any, value: Any) -> Enum:
        kind = _class(name)
        if not issubclass(kind, Enum):
            raise InputError(f"checkpoint: {name} is no enumeration")
        try:
            return kind(value)
        except ValueError as e:
            raise InputError(f"checkpoint: {value!r:.60} is no {kind.__name__}") from e

    def _thing(self, index: Any) -> Any:
        if index in self._made:
            return self._made[index]
        if type(index) is not int or not 0 <= index < len(self._things):
            raise InputError(f"checkpoint: there is no thing {index!r:.40}")
        match self._things[index]:
            case ["object", str() as name, dict() as values]:
                return self._object(index, _class(name), values)
            case ["dict", list() as pairs]:
                return self._dict(index, pairs)
            case ["deque", list() as items, (int() | None) as most] if most is None or most >= 0:
                made: Any = self._made.setdefault(index, deque(maxlen=most))
                made.extend(self.value(item) for item in items)
                return made
            case ["list", list() as items]:
                made = self._made.setdefault(index, [])
                made.extend(self.value(item) for item in items)
                return made
            case ["set" | "frozenset" as kind, list() as items]:
                made = (set if kind == "set" else frozenset)(map(_hashable, map(self.value, items)))
                return self._made.setdefault(index, made)
            case ["array", content]:
                return self._made.setdefault(index, decode_array(content, f"checkpoint: thing {index}"))
        raise InputError(f"checkpoint: thing {index} cannot be read: {self._things[index]!r:.80}")

    def _dict(self, index: int, pairs: list[Any]) -> dict[Any, Any]:
        made: dict[Any, Any] = self._made.setdefault(index, {})
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise InputError(f"checkpoint: thing {index} has no pairs of key and value")
            made[_hashable(self.value(pair[0]))] = self.value(pair[1])
        return made

    def _object(self, index: int, kind: type[Any], written: Mapping[str, Any]) -> Any:
        if issubclass(kind, Section) or is_dataclass(kind):  # immutable: made at once
            values = {name: self.value(item) for name, item in written.items()}
            return self._made.setdefault(index, _made_of(kind, values, index))
        if issubclass(kind, Enum):
            raise InputError(f"checkpoint: thing {index}: {kind.__name__} is an enumeration")
        # Known before its attributes are: they may refer back to it.
        made = self._made.setdefault(index, object.__new__(kind))
        for name, item in written.items():
            _set(made, name, self.value(item), index)
        return made


def _made_of(kind: type[Any], values: Mapping[str, Any], index: int) -> Any:
    try:
        if issubclass(kind, Section):
            return kind.model_validate(values)
        made = object.__new__(kind)
        names = {f.name for f in fields(kind)}
        if values.keys() != names:
            raise InputError(f"checkpoint: thing {index}: {kind.__name__} has other fields: {sorted(values)}")
        for name, value in values.items():
            object.__setattr__(made, name, value)
        return made
    except (ValidationError, TypeError, AttributeError) as e:
        raise InputError(f"checkpoint: thing {index} is no {kind.__name__}: {e!s:.200}") from e


def _set(made: object, name: str, value: Any, index: int) -> None:
    if not name.isidentifier() or name.startswith("__"):
        raise InputError(f"checkpoint: thing {index} has an attribute {name!r:.40}")
    try:
        object.__setattr__(made, name, value)
    except (AttributeError, TypeError) as e:
        raise InputError(f"checkpoint: thing {index}: {type(made).__name__} has no {name}") from e


def _path(where: Place) -> str:
    return f"{_path(where[0])}.{where[1]}" if isinstance(where, tuple) else str(where)


def _attributes(value: object) -> Iterator[tuple[str, Any]]:
    """Name and value of all that an object holds."""
    if isinstance(value, Section):
        yield from ((name, getattr(value, name)) for name in type(value).model_fields)
        return
    for kind in type(value).__mro__:
        for name in kind.__dict__.get("__slots__", ()):
            if hasattr(value, name):
                yield name, getattr(value, name)
    yield from getattr(value, "__dict__", {}).items()


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError as e:
        raise InputError(f"checkpoint: a {type(value).__name__} cannot be a key") from e
    return value


def _name(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _class(name: Any) -> type[Any]:
    found = classes().get(name) if isinstance(name, str) else None
    if found is None:
        raise InputError(f"checkpoint: {name!r:.80} is no class that this dms can restore")
    return found


@cache
def classes() -> Mapping[str, type[Any]]:
    """All classes that may be restored, by name."""
    names = [
        module.name
        for package in _PACKAGES
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    modules = [*_PACKAGES, *map(importlib.import_module, names)]
    found = (kind for module in modules for kind in vars(module).values() if isinstance(kind, type))
    own = tuple(f"{package.__name__}." for package in _PACKAGES)
    return {_name(kind): kind for kind in found if _name(kind).startswith(own)}
