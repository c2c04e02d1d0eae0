"""A backend that refuses to hand out numbers that are none."""

from __future__ import annotations

import numpy as np

from dms.backends import Arrays, Backend
from dms.errors import EngineOutputError


class CheckedBackend:
    """Wraps a backend; `infer` raises EngineOutputError when an output holds NaN or infinity."""

    def __init__(self, name: str, inner: Backend) -> None:
        self._name = name
        self._inner = inner
        self.inputs = inner.inputs
        self.outputs = inner.outputs

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once; see `Backend.infer`."""
        results = self._inner.infer(feeds)
        check_numbers(self._name, results)
        return results

    def close(self) -> None:
        """Close the wrapped backend."""
        self._inner.close()


def check_numbers(name: str, results: Arrays) -> None:
    """Make sure that what the engine `name` gave are numbers.

    Raises:
        EngineOutputError: an output holds NaN or infinity.
    """
    for output, values in results.items():
        # The sum is finite exactly when all values are (sums of such outputs do not overflow), and cheap.
        if not np.isfinite(values.sum()):
            raise EngineOutputError(f"engine {name}: output {output} holds NaN or infinity")
