"""The configuration as text: commented YAML, JSON schema, and what each key allows.

All of it is read off the models of `dms.config`, so that it cannot drift from them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from dms.config import Config
from dms.config.section import Section

KeyPath = tuple[str, ...]

_WIDTH = 108
_UNITS = {
    "_s": "seconds",
    "_px": "pixels",
    "_deg": "degrees",
    "_hz": "times a second",
    "_kmh": "km/h",
    "_c": "°C",
    "_w": "watts",
    "_mps2": "m/s²",
    "_bytes": "bytes",
    "fps": "frames a second",
}
_LIMITS = {"ge": "from {}", "gt": "above {}", "le": "up to {}", "lt": "below {}"}
_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}

DEFAULT_HEADER = """\
# Every key with its default. This file is generated (`dms config show --default`); do not edit it: write a
# file of your own with the keys you change and give it with `--config`. Later files win over earlier ones,
# and `--set key=value` over files. In brackets: what a key allows, and its unit.
"""


def default_yaml() -> str:
    """The text of `configs/default.yaml`: every key with its default, a comment and its unit."""
    return DEFAULT_HEADER + "\n" + commented_yaml(Config())


def render(config: Config) -> str:
    """The effective values as YAML, ready to be loaded again."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def commented_yaml(config: Config) -> str:
    """The effective values as YAML, each under a comment that tells meaning, range and unit."""
    return "\n".join(_lines(config, "")).lstrip("\n") + "\n"


def config_schema() -> dict[str, Any]:
    """The JSON schema of a configuration file, for editors: titles, descriptions, ranges and units."""
    schema = Config.model_json_schema()
    for model in _sections(Config):
        described = schema if model is Config else schema["$defs"][model.__name__]
        for key, entry in described["properties"].items():
            text, unit = description(model, key), unit_of(key)
            if unit:
                entry["x-unit"] = unit
            if text:
                entry["description"] = f"{text} [{unit}]" if unit else text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "dms configuration"}


def unit_of(key: str) -> str | None:
    """The unit a key's name carries, in words; None when it has none."""
    return next((unit for ending, unit in _UNITS.items() if key.endswith(ending)), None)


def section_at(path: KeyPath) -> type[Section] | None:
    """The model of the section at `path`; None when there is no such section."""
    model: type[Section] = Config
    keys = iter(path)
    for key in keys:
        field = model.model_fields.get(key)
        section = field and (_section_of(field) or _named_section_of(field))
        if not field or not section:
            return None
        if not _section_of(field):
            next(keys, None)  # the name, which is the user's own
        model = section
    return model


def names_at(path: KeyPath) -> tuple[str, ...]:
    """The names that sections below `path` can have; empty where the user gives names of his own."""
    model = section_at(path[:-1])
    if model is None or not _named_section_of(model.model_fields[path[-1]]):
        return ()
    kind = get_args(model.model_fields[path[-1]].annotation)[0]
    return get_args(kind) if get_origin(kind) is Literal else ()


def leaf_paths() -> Iterator[KeyPath]:
    """The path of every key that holds a value."""
    yield from _leaves(Config, ())


def allowed(path: KeyPath) -> str:
    """What the key at `path` may be, in words: type, range, unit."""
    model = section_at(path[:-1])
    if model is None or path[-1] not in model.model_fields:
        return ""
    field = model.model_fields[path[-1]]
    if section := _section_of(field):
        return f"a section with the keys {', '.join(section.model_fields)}"
    if section := _named_section_of(field):
        return f"names, each with the keys {', '.join(section.model_fields)}"
    text = " ".join(part for part in (_type_text(field), _range_text(field)) if part)
    unit = unit_of(path[-1])
    nothing = " or null" if type(None) in get_args(field.annotation) else ""
    return text + (f", {unit}" if unit else "") + nothing


def _lines(section: Section, indent: str, path: KeyPath = ()) -> Iterator[str]:
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, Section):
            yield ""
            yield from _comment(description(type(section), key) or _summary(type(value)), indent)
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ", (*path, key))
        else:
            yield from _comment(f"{description(type(section), key)} [{allowed((*path, key))}]", indent)
            yield f"{indent}{_entry(key, value)}"


def _entry(key: str, value: Any) -> str:
    """A key with its value; a list stays on the line of its key."""
    if isinstance(value, tuple):
        return f"{key}: {yaml.safe_dump(list(value), allow_unicode=True, default_flow_style=True).rstrip()}"
    return yaml.safe_dump({key: value}, allow_unicode=True).rstrip()


def _comment(text: str, indent: str) -> list[str]:
    prefix = f"{indent}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix)


def _summary(model: type[Section]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _section_of(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _named_section_of(field: FieldInfo) -> type[Section] | None:
    """The model of the sections that the user gives names of his own; None where there are none."""
    if get_origin(field.annotation) is not dict:
        return None
    kind = get_args(field.annotation)[1]
    return kind if issubclass(kind, Section) else None


def description(model: type[Section], key: str) -> str | None:
    """What a key means: the text below it in the source, or below where a base class declares it first.

    Pydantic can read these texts itself, but would at every start: a tenth of the time to the first frame.
    """
    texts = (_texts_below(base).get(key) for base in model.__mro__ if issubclass(base, Section))
    return next(filter(None, texts), None)


def _texts_below(model: type[Section]) -> dict[str, str]:
    (declared,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(declared, ast.ClassDef)
    return {
        key.target.id: inspect.cleandoc(below.value.value).replace("\n", " ")
        for key, below in pairwise(declared.body)
        if isinstance(key, ast.AnnAssign)
        and isinstance(key.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _sections(model: type[Section]) -> Iterator[type[Section]]:
    """A section and all below it."""
    yield model
    for field in model.model_fields.values():
        if section := _section_of(field) or _named_section_of(field):
            yield from _sections(section)


def _leaves(model: type[Section], path: KeyPath) -> Iterator[KeyPath]:
    for key, field in model.model_fields.items():
        if section := _section_of(field):
            yield from _leaves(section, (*path, key))
        else:
            yield (*path, key)


def _type_text(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is tuple:
        filled = any(getattr(m, "min_length", None) for m in field.metadata)
        return f"a list of {_kind_text(get_args(kind)[0])}" + (", not empty" if filled else "")
    kinds = (kind,) if get_origin(kind) is Literal else get_args(kind) or (kind,)
    text = " or ".join(_kind_text(k) for k in kinds if k is not type(None))
    pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
    return text + (f" matching {pattern}" if pattern else "")


def _kind_text(kind: Any) -> str:
    """One of the types that a key may have."""
    if get_origin(kind) is Annotated:
        return _kind_text(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return " or ".join(str(value) for value in get_args(kind))
    return _TYPES.get(kind, str(kind))


def _range_text(field: FieldInfo) -> str:
    return " ".join(
        words.format(getattr(limit, name))
        for limit in field.metadata
        for name, words in _LIMITS.items()
        if hasattr(limit, name)
    )
