"""Batches on runtimes that compile a net for one picture: row by row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dms.backends import Arrays, TensorSpec


def row_by_row(run: Callable[[Arrays], Arrays], feeds: Arrays) -> Arrays:
    """Every row of `feeds` through `run`, which takes and gives arrays of one row."""
    batch = min(len(values) for values in feeds.values())
    rows = [run({name: values[i : i + 1] for name, values in feeds.items()}) for i in range(batch)]
    return rows[0] if batch == 1 else {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def free_batch(spec: TensorSpec) -> TensorSpec:
    """What a net fixed to one row takes or gives; the row stands for a free batch."""
    return TensorSpec(spec.name, (None, *spec.shape[1:]), spec.dtype)
