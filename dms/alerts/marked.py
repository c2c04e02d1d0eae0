"""YAML whose every value knows its line."""

from __future__ import annotations

from typing import Any

import yaml

from dms.errors import ConfigError

Path = tuple[str | int, ...]


class _PlainLoader(yaml.SafeLoader):
    """Plain YAML only: an alias would let one line stand in two places, or for a gigabyte."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken here", mark)
        return super().compose_node(parent, index)


def read_marked(text: str, origin: str) -> tuple[Any, dict[Path, int]]:
    """The value of a YAML text, and the line (from 1) on which each key and item of it stands.

    Raises:
        ConfigError: it is no YAML, or a key stands twice; says in which line.
    """
    lines: dict[Path, int] = {(): 1}
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None, lines
        _mark(node, (), lines, origin)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{origin}{line}: this is no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, KeyError) as error:  # PyYAML lets the latter through for `2026-99-99`
        raise ConfigError(f"{origin}: this is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{origin}: nested too deeply to be a profile") from error


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a value; of the nearest one around it where it is not in the text."""
    return next(lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines)


def _mark(node: yaml.Node, path: Path, lines: dict[Path, int], origin: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            below = (*path, number)
            lines[below] = item.start_mark.line + 1
            _mark(item, below, lines, origin)
    elif isinstance(node, yaml.MappingNode):
        taken: set[str] = set()
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in taken:
                raise ConfigError(f"{origin}:{line}: {name} stands here a second time; keep one of the two")
            taken.add(name)
            below = (*path, name)
            lines[below] = line
            _mark(value, below, lines, origin)
