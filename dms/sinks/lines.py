"""JSON lines read back: what `sinks.jsonl.path`, `dms analyze --out` or `dms watch --json` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dms.errors import InputError
from dms.sinks.values import Document


def read_lines(path: Path) -> Iterator[tuple[str, Document]]:
    """Every document of a file and where it stands, as an error begins: `FILE line 7`.

    Empty lines are passed over, and so is a last line that is not finished: it is still being written, or its
    writer was killed.

    Raises:
        InputError: the file cannot be read, or a line is no JSON object.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                where = f"{path} line {number}"
                try:
                    document = json.loads(raw) if raw.strip() else None
                except (ValueError, RecursionError) as e:
                    if raw.startswith(b"{") and not raw.endswith(b"\n"):
                        return
                    raise InputError(f"{where} is no JSON, as lines of dms are: {e!s:.100}") from e
                if isinstance(document, dict):
                    yield where, document
                elif raw.strip():
                    raise InputError(f"{where} is no JSON object, as lines of dms are")
    except OSError as e:
        raise InputError(f"{path} cannot be read: {e.strerror}; give a file of JSON lines") from e
