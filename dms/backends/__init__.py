"""Inference runtimes behind one interface: named arrays in, named arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from numpy.typing import NDArray

BACKENDS = {
    "ort": "dms.backends.ort:OrtBackend",
    "openvino": "dms.backends.openvino:OpenVinoBackend",
}
"""Name in the configuration → class. A class takes (path, threads) and is imported only when chosen."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and NumPy dtype name of an input or output; None stands for a free (batch) dimension."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class Backend(Protocol):
    """One loaded engine. Moves named arrays and nothing else."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once.

        Raises:
            EngineError: the runtime failed.
        """
        ...

    def close(self) -> None:
        """Free the engine. May be called twice."""
        ...


def open_backend(name: str, path: Path, threads: int) -> Backend:
    """Load the engine file `path` on the runtime called `name` (a key of `BACKENDS`).

    Raises:
        EngineMismatch: the runtime cannot read the file.
    """
    module, _, attribute = BACKENDS[name].partition(":")
    return cast(Backend, getattr(import_module(module), attribute)(path, threads))
