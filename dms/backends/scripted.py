"""A backend without a net: answers from a function. For tests of everything that sits on a backend."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dms.backends import Arrays, TensorSpec
from dms.engines.contract import CONTRACTS
from dms.errors import EngineError


class ScriptedBackend:
    """Answers every `infer` with `answer(feeds)`; outputs it leaves out are zeros of the contract's shape."""

    def __init__(self, net: str, answer: Callable[[Arrays], Arrays]) -> None:
        contract = CONTRACTS[net]
        self.inputs = {"image": TensorSpec("image", (None, 1, contract.height, contract.width), "uint8")}
        self.outputs = {n: TensorSpec(n, (None, *s), "float32") for n, s in contract.outputs.items()}
        self._answer = answer
        self._closed = False

    def infer(self, feeds: Arrays) -> Arrays:
        """Run the script once; see `Backend.infer`."""
        if self._closed:
            raise EngineError("the engine was closed; open it again before use")
        batch = len(feeds["image"])
        answer = self._answer(feeds)
        return {
            name: answer.get(name, np.zeros((batch, *(d or 1 for d in spec.shape[1:])), np.float32))
            for name, spec in self.outputs.items()
        }

    def close(self) -> None:
        """Refuse further calls. May be called twice."""
        self._closed = True
