"""The numbers and names that the commands and the makers of engines share; nothing is imported for them."""

from __future__ import annotations

ASKED = ("fp32", "fp16", "int8", "best")
"""The precisions that can be asked for: those of `config.Precision`, which a test holds equal."""
METHODS = ("minmax", "percentile", "mse", "entropy")
"""How ranges are found, the simplest first."""
LEAST_IMAGES = 64
"""Fewer different pictures say little about the tails of a distribution; 300 to 1000 are good."""
MOST_IMAGES = 384
"""More pictures are not looked at for ranges unless asked for: an evenly spread choice of them is."""
LIMIT_POINTS = 0.3
"""What an artefact may lose of its task metric against FP32 (the acceptance gate of the project)."""
BOUND_POINTS = 0.1
"""A part that costs more than this alone stays in floating point: a third of the 0.3 points allowed."""
BOUND_ERROR = 0.1
"""So does one that moves the outputs by more than this part of their own spread: the metric sees but one of
many outputs, and on a small set of pictures it is blind to much."""
BOUND_TIME = 1.05
"""So does one that makes the quantised net slower by 5 % and more: a first layer of one channel, for
instance, where rounding its result costs more than integer arithmetic saves."""
