"""A backend that refuses to hand out numbers that are none."""

from __future__ import annotations

from math import isfinite

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
    # One sum over all outputs is cheap, and finite only when every value is.
    if isfinite(np.concatenate(list(results.values()), axis=None).sum()):
        return
    for output, values in results.items():
        if not np.isfinite(values).all():
            raise EngineOutputError(f"engine {name}: output {output} holds NaN or infinity")
