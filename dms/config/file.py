"""Configuration files: defaults ← YAML files, in order ← `--set key=value`.

Whatever is wrong is told with its file, line and key, the nearest valid key, and what the key allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dms.config import Config
from dms.config.text import KeyPath, allowed, leaf_paths, section_at
from dms.errors import ConfigError

_SHOWN_CHARACTERS = 60
_MAPPING_TAG = "tag:yaml.org,2002:map"
_TEXT_TAG = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class _Layer:
    """One file or one `--set`: its values, and where each of them stands."""

    values: dict[str, Any]
    places: dict[KeyPath, str] = field(default_factory=dict)


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
    reader = _Reader(str(path), lambda mark: f"{path}:{mark.line + 1}")
    values = reader.read(text, ())
    if values is None:  # an empty file, or one of comments only, changes nothing
        return _Layer({})
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no mapping; write `section:` and below it `  key: value`")
    return _Layer(values, reader.places)


def _read_override(text: str) -> _Layer:
    dotted, equals, value = text.partition("=")
    path = tuple(dotted.strip().split("."))
    origin = f"--set {text}"
    if not equals or not all(path):
        raise ConfigError(f"{origin}: write it as key=value, for example source.fps=15")
    reader = _Reader(origin, lambda _: origin)
    values = reader.read(value.encode(errors="surrogateescape"), path)
    for key in reversed(path):
        values = {key: values}
    return _Layer(values, {path[:n]: origin for n in range(len(path))} | reader.places)


class _StrictLoader(yaml.SafeLoader):
    """Plain YAML only: an alias would let one line stand in two places, or for a gigabyte."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken here", mark)
        return super().compose_node(parent, index)


class _Reader:
    """Reads one YAML text. `origin` names it; `place` turns a mark in it into words.

    `places` tells, after reading, where each key stands.
    """

    def __init__(self, origin: str, place: Callable[[yaml.Mark], str]) -> None:
        self._origin = origin
        self._place = place
        self.places: dict[KeyPath, str] = {}

    def read(self, text: bytes, root: KeyPath) -> Any:
        """The value of `text`, which is the value of the key `root`; None for an empty text."""
        try:
            loader = _StrictLoader(text)
            node = loader.get_single_node()
            return self._value(loader, node, root) if node else None
        except yaml.MarkedYAMLError as e:
            where = self._place(e.problem_mark) if e.problem_mark else self._origin
            raise ConfigError(f"{where}: this is not valid YAML: {e.problem or e.context}") from e
        except yaml.YAMLError as e:
            raise ConfigError(f"{self._origin}: this is not YAML text: {' '.join(str(e).split())}") from e
        except RecursionError as e:
            raise ConfigError(f"{self._origin}: nested too deeply to be a configuration") from e

    def _value(self, loader: _StrictLoader, node: yaml.Node, path: KeyPath) -> Any:
        self.places.setdefault(path, self._place(node.start_mark))
        if not isinstance(node, yaml.MappingNode) or node.tag != _MAPPING_TAG:
            return self._plain_value(loader, node, path)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            child = (*path, self._key(key_node, path, values))
            self.places[child] = self._place(key_node.start_mark)
            values[child[-1]] = self._value(loader, value_node, child)
        return values

    def _key(self, node: yaml.Node, path: KeyPath, taken: dict[str, Any]) -> str:
        where = self._place(node.start_mark)
        if node.tag != _TEXT_TAG:
            raise ConfigError(f"{where}: {_shown(node.value)} is no key: keys are plain words")
        key = str(node.value)
        if key in taken:
            raise ConfigError(
                f"{where}: {_dotted((*path, key))} stands here a second time; keep one of the two"
            )
        return key

    def _plain_value(self, loader: _StrictLoader, node: yaml.Node, path: KeyPath) -> Any:
        try:
            return loader.construct_object(node, deep=True)
        except (ValueError, KeyError) as e:  # PyYAML lets these through for `2026-99-99` or `!!bool maybe`
            where = f"{self.places[path]}: {_dotted(path)}"
            raise ConfigError(f"{where}: {_shown(node.value)} is no valid value: {e}") from e


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _explain(error: ErrorDetails, places: dict[KeyPath, str]) -> str:
    path = tuple(str(part) for part in error["loc"])
    place = next((places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in places), "defaults")
    if error["type"] == "extra_forbidden":
        return f"{place}: {_dotted(path)}: unknown key; {_suggestion(path)}"
    if error["type"] == "value_error":  # a rule of ours over several keys: its text says it all
        return ": ".join(filter(None, (place, _dotted(path), str(error["ctx"]["error"]))))
    value = error["input"]
    if path[-1] == "[key]":
        return f"{place}: {_dotted(path[:-1])}: a name is of letters, digits, - and _, at most 32"
    quote = "; put the value in quotes" if error["type"] in _WANTS_TEXT and _is_scalar(value) else ""
    must = f"must be {allowed(path)}" if allowed(path) else error["msg"]
    if len(path) == 2 and path[0] == "cameras":
        must = "must be the keys of a source, such as {uri: demo}"
    return f"{place}: {_dotted(path)}: {_shown(value)} is not allowed: {must}{quote}"


_WANTS_TEXT = {"string_type", "literal_error"}


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _suggestion(path: KeyPath) -> str:
    """The nearest valid key: a sibling, else a key of that name elsewhere, else all siblings."""
    section = section_at(path[:-1])
    siblings = tuple(section.model_fields) if section else ()
    near = [_dotted((*path[:-1], key)) for key in get_close_matches(path[-1], siblings, n=1)]
    if not near:
        near = list(_elsewhere(path[-1]))[:1]
    return f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(siblings)}"


def _elsewhere(key: str) -> Iterator[str]:
    by_name: dict[str, KeyPath] = {}
    for path in leaf_paths():
        by_name.setdefault(path[-1], path)
    yield from (_dotted(by_name[name]) for name in get_close_matches(key, by_name, n=1, cutoff=0.8))


def _dotted(path: KeyPath) -> str:
    return ".".join(path)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
