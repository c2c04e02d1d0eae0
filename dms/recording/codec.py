"""Records as plain JSON values and back, exactly.

A record becomes an object of its fields, an enumeration its value, a tuple an array. Floats round-trip bit
for bit; what JSON has no number for is `{"float": "nan"}`, `"inf"` or `"-inf"`. Arrays keep type, shape and
bits as `{"array": "<f4", "shape": [60, 2], "base64": "…"}`. Reading goes by the fields' types: whatever does
not fit them, a field too many included, is refused; a field that is missing takes its default.
"""

from __future__ import annotations

import base64
import math
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from dms.errors import InputError
from dms.records import Points

T = TypeVar("T")
Reader = Callable[[Any, str], Any]

ARRAYS = ("<f4", "<f8")
MOST_VALUES = 1024
"""An array of more values is refused: landmarks are 120, and nothing else travels as an array."""


def encode(value: object) -> Any:
    """A record, or anything a record may hold, as plain JSON values.

    Raises:
        InputError: it holds something no record does.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return encode_float(value)
    if value is None or isinstance(value, str | int):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, np.ndarray):
        return encode_array(value)
    raise InputError(f"a record cannot hold a {type(value).__name__}: {value!r:.80}")


def decode(kind: type[T], value: Any, where: str) -> T:
    """The record of type `kind` that `value` tells of; `where` begins the message of an error.

    Raises:
        InputError: it tells of no such record.
    """
    return cast(T, _reader(cast(Any, kind))(value, where))


def encode_float(value: float) -> Any:
    """A float as JSON has it."""
    return value if math.isfinite(value) else {"float": str(float(value))}


def encode_array(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array of floats, bit for bit."""
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    if little.dtype.str not in ARRAYS or values.size > MOST_VALUES:
        raise InputError(f"a record cannot hold an array {values.dtype}{list(values.shape)}")
    text = base64.b64encode(little.tobytes()).decode("ascii")
    return {"array": little.dtype.str, "shape": list(values.shape), "base64": text}


def decode_array(value: Any, where: str) -> np.ndarray[Any, Any]:
    """The array that was encoded. One whose bits were left out (`base64` null) is all zeros.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, dict) or value.keys() != {"array", "shape", "base64"}:
        raise InputError(f"{where}: expected an array, got {value!r:.60}")
    shape = value["shape"]
    small = isinstance(shape, list) and all(isinstance(n, int) and 0 <= n <= MOST_VALUES for n in shape)
    if value["array"] not in ARRAYS or not small or math.prod(shape) > MOST_VALUES:
        raise InputError(f"{where}: no array of landmarks: {value['array']!r:.20}{shape!r:.40}")
    kind = np.dtype(value["array"])
    if value["base64"] is None:
        return np.zeros(shape, kind)
    try:
        bits = base64.b64decode(value["base64"], validate=True)
        values: np.ndarray[Any, Any] = np.frombuffer(bits, kind).reshape(shape)
    except (TypeError, ValueError) as e:
        raise InputError(f"{where}: the array is damaged: {e}") from e
    return values.astype(kind.newbyteorder("="))


def _key(key: object) -> str:
    if isinstance(key, Enum):
        return str(key.value)
    if isinstance(key, str):
        return key
    raise InputError(f"a record cannot be keyed by a {type(key).__name__}")


@cache
def _reader(kind: Any) -> Reader:
    """What reads a value of this type."""
    if kind == Points:  # what numpy's own alias is made of differs from version to version
        return decode_array
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read_union(args)
    if origin is tuple:
        return _read_tuple(_reader(args[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _read_mapping(_reader(args[0]), _reader(args[1]))
    if is_dataclass(kind):
        return _read_record(cast("type[Any]", kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _read_enum(kind)
    return _SCALARS[kind]


def _read_float(value: Any, where: str) -> float:
    if isinstance(value, int | float):
        return value
    if isinstance(value, dict) and value.keys() == {"float"} and value["float"] in ("nan", "inf", "-inf"):
        return float(value["float"])
    raise InputError(f"{where}: expected a number, got {value!r:.60}")


def _read_plain(kind: type[Any], name: str) -> Reader:
    def read(value: Any, where: str) -> Any:
        if type(value) is not kind:
            raise InputError(f"{where}: expected {name}, got {value!r:.60}")
        return value

    return read


_SCALARS: dict[Any, Reader] = {
    float: _read_float,
    int: _read_plain(int, "a whole number"),
    bool: _read_plain(bool, "true or false"),
    str: _read_plain(str, "a text"),
}


def _read_union(kinds: tuple[Any, ...]) -> Reader:
    readers = [_reader(kind) for kind in kinds if kind is not type(None)]
    optional = len(readers) < len(kinds)

    def read(value: Any, where: str) -> Any:
        if value is None and optional:
            return None
        for reader in readers[:-1]:
            with suppress(InputError):
                return reader(value, where)
        return readers[-1](value, where)

    return read


def _read_tuple(item: Reader) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, list):
            raise InputError(f"{where}: expected an array, got {value!r:.60}")
        return tuple(item(each, f"{where}[{index}]") for index, each in enumerate(value))

    return read


def _read_mapping(key: Reader, item: Reader) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected an object, got {value!r:.60}")
        return {key(name, where): item(each, f"{where}.{name}") for name, each in value.items()}

    return read


def _read_enum(kind: type[Enum]) -> Reader:
    def read(value: Any, where: str) -> Any:
        try:
            return kind(value)
        except ValueError as e:
            raise InputError(f"{where}: {value!r:.60} is no {kind.__name__}") from e

    return read


def _read_record(kind: type[Any]) -> Reader:
    hints = get_type_hints(kind)
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind)}

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected an object, got {value!r:.60}")
        if unknown := value.keys() - known.keys():
            raise InputError(f"{where}: {kind.__name__} has no {', '.join(sorted(unknown))!s:.80}")
        for name, field in known.items():
            if name not in value and field.default is MISSING and field.default_factory is MISSING:
                raise InputError(f"{where}: {kind.__name__} lacks {name}")
        # Types are looked up here, not before: a record may hold its own kind.
        return kind(**{name: _reader(hints[name])(each, f"{where}.{name}") for name, each in value.items()})

    return read
