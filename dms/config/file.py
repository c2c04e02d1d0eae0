"""Configuration files: defaults ← YAML files, in order ← `--set key=value`.

Whatever is wrong is told with its file, line and key, the nearest valid key, and what the key allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dms.config import Config
from dms.config.nearest import closest
from dms.config.text import KeyPath, allowed, leaf_paths, names_at, section_at
from dms.config.yaml_text import Places, dotted, place_of, read_yaml, shown
from dms.errors import ConfigError


@dataclass(frozen=True, slots=True)
class _Layer:
    """One file or one `--set`: its values, and where each of them stands."""

    values: dict[str, Any]
    places: Places = field(default_factory=dict)


def load_config(paths: Sequence[Path], overrides: Sequence[str] = ()) -> Config:
    """The defaults, overlaid with the files `paths` in order, then with `overrides` (`a.b=c`) in order.

    The value of an override is YAML: `source.fps=15`, `source.realtime=true`, `sinks.jsonl.path=null`.

    Raises:
        ConfigError: one line a problem, each with file and line (or the override), key and cure.
    """
    merged = _Layer({})
    for layer in (*map(_read_file, paths), *map(_read_override, overrides)):
        _merge(merged.values, layer.values)
        merged.places.update(layer.places)
    try:
        return Config.model_validate(merged.values)
    except ValidationError as e:
        raise ConfigError("\n".join(_explain(error, merged.places) for error in e.errors())) from e


def _read_file(path: Path) -> _Layer:
    try:
        text = path.read_bytes()
    except FileNotFoundError as e:
        raise ConfigError(f"{path}: no such configuration file") from e
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read: {e.strerror}") from e
    values, places = read_yaml(text, str(path))
    if values is None:  # an empty file, or one of comments only, changes nothing
        return _Layer({})
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no mapping; write `section:` and below it `  key: value`")
    return _Layer(values, places)


def _read_override(text: str) -> _Layer:
    key, equals, value = text.partition("=")
    path = tuple(key.strip().split("."))
    origin = f"--set {text}"
    if not equals or not all(path):
        raise ConfigError(f"{origin}: write it as key=value, for example source.fps=15")
    given = value.encode(errors="surrogateescape")
    values, places = read_yaml(given, origin, root=path, numbered=False)
    for part in reversed(path):
        values = {part: values}
    return _Layer(values, {path[:n]: origin for n in range(len(path))} | places)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _explain(error: ErrorDetails, places: Places) -> str:
    path = tuple(str(part) for part in error["loc"])
    place = place_of(places, error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place}: {dotted(path)}: unknown key; {_suggestion(path)}"
    if error["type"] == "value_error":  # a rule of ours over several keys: its text says it all
        return ": ".join(filter(None, (place, dotted(path), str(error["ctx"]["error"]))))
    value = error["input"]
    if path[-1] == "[key]":
        return f"{place}: {dotted(path[:-1])}: {_wrong_name(path[:-1])}"
    quote = "; put the value in quotes" if error["type"] in _WANTS_TEXT and _is_scalar(value) else ""
    must = f"must be {allowed(path)}" if allowed(path) else error["msg"]
    if len(path) == 2 and path[0] == "cameras":
        must = "must be the keys of a source, such as {uri: demo}"
    return f"{place}: {dotted(path)}: {shown(value)} is not allowed: {must}{quote}"


_WANTS_TEXT = {"string_type", "literal_error"}


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _wrong_name(path: KeyPath) -> str:
    """Why a name that is a key cannot be one: not among those there are, or badly written."""
    names = names_at(path[:-1])
    if not names:
        return "a name is of letters, digits, - and _, at most 32"
    close = closest(path[-1], names)
    meant = f"; did you mean {close}?" if close else "."
    return f"no {path[-2].removesuffix('s')} is called {path[-1]!r}{meant} There are {', '.join(names)}"


def _suggestion(path: KeyPath) -> str:
    """The nearest valid key: a sibling, else a key of that name elsewhere, else all siblings."""
    section = section_at(path[:-1])
    siblings = tuple(section.model_fields) if section else ()
    sibling = closest(path[-1], siblings)
    meant = (*path[:-1], sibling) if sibling else _elsewhere(path[-1])
    return f"did you mean {dotted(meant)}?" if meant else f"the keys here are {', '.join(siblings)}"


def _elsewhere(key: str) -> KeyPath | None:
    by_name: dict[str, KeyPath] = {}
    for path in leaf_paths():
        by_name.setdefault(path[-1], path)
    name = closest(key, by_name, likeness=0.8)
    return by_name[name] if name else None
