"""What a runtime on a GPU offers beside `Backend`: it computes in device memory, on a given stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dms.backends import TensorSpec


class DeviceEngine(Protocol):
    """One loaded engine whose tensors lie in memory that somebody else owns."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def bind(self, name: str, address: int) -> None:
        """Where the input or output `name` lies: a device address, contiguous, large enough."""
        ...

    def enqueue(self, stream: int, batch: int = 1) -> None:
        """Put one run on a CUDA stream, given by its handle; returns at once. May be captured in a graph.

        Raises:
            EngineError: the runtime refused.
        """
        ...

    def close(self) -> None:
        """Free the engine. May be called twice."""
        ...
