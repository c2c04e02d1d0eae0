"""The ranges table: `ranges.json` beside an engine, bound to the model and the data it was taken from."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dms.errors import EngineMismatch, InputError
from dms.files import write_atomically

RANGES = "ranges.json"


class RangesTable(BaseModel):
    """Smallest and largest value of each tensor, the method, and hashes of the model and the inputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    net: str
    method: str
    images: int
    data_sha256: str
    model_sha256: str
    tensors: dict[str, tuple[float, float]]

    def text(self) -> str:
        """As JSON, one line a tensor."""
        head = self.model_dump(mode="json")
        rows = head.pop("tensors")
        lines = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()]
        top = json.dumps(head, indent=2).removesuffix("\n}")
        return top + ',\n  "tensors": {\n' + ",\n".join(lines) + "\n  }\n}\n"

    def save(self, path: Path) -> None:
        """Write the table, whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        write_atomically(path, self.text())

    def check_model(self, net: str, model_sha256: str, source: str) -> None:
        """Make sure that the table was taken from this model of `net`; `source` says where the table is from.

        Raises:
            EngineMismatch: it was taken from another one.
        """
        if self.net != net:
            raise EngineMismatch(
                f"{source}: the ranges are those of the {self.net} engine, not of {net}; name its own"
            )
        if self.model_sha256 != model_sha256:
            raise EngineMismatch(
                f"{source}: the ranges are those of another {net} model than the one that lies here; "
                f"find them again: `dms engines quantize {net} --data …`"
            )


def load_ranges(path: Path) -> RangesTable:
    """Read a ranges table.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        return RangesTable.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"no readable ranges at {path}; make them: `dms calibrate ranges`") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} is no ranges table ({where}: {first['msg']}); make it again: `dms calibrate ranges`"
        ) from error
