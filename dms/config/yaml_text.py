"""Plain YAML, each of whose values knows where it stands: no aliases, no key twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from dms.errors import ConfigError

KeyPath = tuple[str | int, ...]
Places = dict[KeyPath, str]
"""Where each key and each item of a list stands, as `file:line`."""

_TAG = "tag:yaml.org,2002:"
_SHOWN_CHARACTERS = 60


def read_yaml(
    text: str | bytes, origin: str, *, root: KeyPath = (), numbered: bool = True
) -> tuple[Any, Places]:
    """The value of a YAML text, None for an empty one, and the places of all that is in it.

    Args:
        text: what is read.
        origin: names the text.
        root: the key whose value the text is.
        numbered: whether places tell the line beside the origin.

    Raises:
        ConfigError: it is no such text; says in which line, and what to do.
    """
    reader = _Reader(origin, (lambda mark: f"{origin}:{mark.line + 1}") if numbered else lambda _: origin)
    return reader.read(text, root), reader.places


def place_of(places: Places, path: KeyPath) -> str:
    """The place of a value; of the nearest one around it where it is not in the text."""
    return next((places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in places), "defaults")


def dotted(path: KeyPath) -> str:
    """A key as people write it."""
    return ".".join(map(str, path))


def shown(value: object) -> str:
    """A value, cut short."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


class _Loader(yaml.SafeLoader):
    """Takes no aliases: one would let one line stand in two places, or for a gigabyte."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken here", mark)
        return super().compose_node(parent, index)


class _Reader:
    """Reads one text. `origin` names it; `place` turns a mark in it into words."""

    def __init__(self, origin: str, place: Callable[[yaml.Mark], str]) -> None:
        self._origin = origin
        self._place = place
        self.places: Places = {}

    def read(self, text: str | bytes, root: KeyPath) -> Any:
        try:
            loader = _Loader(text)
            node = loader.get_single_node()
            return self._value(loader, node, root) if node else None
        except yaml.MarkedYAMLError as e:
            where = self._place(e.problem_mark) if e.problem_mark else self._origin
            raise ConfigError(f"{where}: this is not valid YAML: {e.problem or e.context}") from e
        except yaml.YAMLError as e:
            raise ConfigError(f"{self._origin}: this is not YAML text: {' '.join(str(e).split())}") from e
        except RecursionError as e:
            raise ConfigError(f"{self._origin}: nested too deeply") from e

    def _value(self, loader: _Loader, node: yaml.Node, path: KeyPath) -> Any:
        self.places.setdefault(path, self._place(node.start_mark))
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self._value(loader, item, (*path, number)) for number, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode) or node.tag != _TAG + "map":
            return self._plain_value(loader, node, path)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path, values)
            child = (*path, key)
            self.places[child] = self._place(key_node.start_mark)
            values[key] = self._value(loader, value_node, child)
        return values

    def _key(self, node: yaml.Node, path: KeyPath, taken: dict[str, Any]) -> str:
        where = self._place(node.start_mark)
        if node.tag != _TAG + "str":
            raise ConfigError(f"{where}: {shown(node.value)} is no key: keys are plain words")
        key = str(node.value)
        if key in taken:
            raise ConfigError(
                f"{where}: {dotted((*path, key))} stands here a second time; keep one of the two"
            )
        return key

    def _plain_value(self, loader: _Loader, node: yaml.Node, path: KeyPath) -> Any:
        try:
            return loader.construct_object(node, deep=True)
        except (ValueError, KeyError) as e:  # PyYAML lets these through for `2026-99-99` or `!!bool maybe`
            where = ": ".join(filter(None, (self.places[path], dotted(path))))
            raise ConfigError(f"{where}: {shown(node.value)} is no valid value: {e}") from e
