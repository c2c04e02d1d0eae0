"""A stand-in for TensorRT that follows a script. Its engine runs in host memory: outputs are means of inputs.

`test_trt_standin.py` holds its names and parameters to those of the real bindings.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from types import SimpleNamespace

import numpy as np

Severity = IntEnum("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE", start=0)
Flag = IntEnum("NetworkDefinitionCreationFlag", "OTHER STRONGLY_TYPED", start=0)
Mode = Enum("TensorIOMode", "NONE INPUT OUTPUT")
DataType = Enum("DataType", "FLOAT HALF UINT8 INT8 INT32 BF16")
LayerType = Enum("LayerType", "CONVOLUTION DEQUANTIZE CAST")
ErrorCode = Enum("ErrorCode", "MODEL_DESERIALIZE_FAILED INVALID_NODE")
Pool = Enum("MemoryPoolType", "WORKSPACE")
OldFlags = Enum("BuilderFlag", "INT8 FP16 DEBUG")
NewFlags = Enum("BuilderFlag", "DEBUG")


@dataclass
class Script:
    """What the stand-in does, and what it was asked.

    `plans` are what builds give, in turn (None: the build fails); `loadable` the plans that can be loaded;
    `largest` the batch that the engine takes, `image` and `outputs` the shapes of one row. `trouble` is
    logged as an error where `at` says.
    """

    plans: list = field(default_factory=lambda: [b"plan"])
    loadable: tuple = (b"plan",)
    largest: int = 4
    image: tuple = (1, 2, 2)
    outputs: dict = field(default_factory=lambda: {"state": (1,)})
    refusal: tuple | None = None
    layers: tuple = ()
    trouble: str = ""
    at: str = ""
    memory: bool = True
    dtype: DataType = DataType.FLOAT
    timing_fits: bool = True
    asked: list = field(default_factory=list)

    def say(self, logger, place):
        """Log the trouble, if it is of this place; whether it was."""
        if self.at == place:
            logger.log(Severity.ERROR, self.trouble)
        return self.at == place


class ILogger:
    Severity = Severity

    def __init__(self):
        pass


class IProgressMonitor:
    def __init__(self):
        pass

    def phase_start(self, phase_name, parent_phase, num_steps):
        raise NotImplementedError

    def phase_finish(self, phase_name):
        raise NotImplementedError

    def step_complete(self, phase_name, step):
        raise NotImplementedError


class ITensor:
    def __init__(self, dtype=DataType.UINT8):
        self.name, self.shape, self.dtype = "image", (-1, 1, 2, 2), dtype


class ILayer:
    def __init__(self, kind, dtype):
        self.type, self._tensor = kind, ITensor(dtype)

    def get_input(self, index):
        return self._tensor


class INetworkDefinition:
    def __init__(self, layers):
        self._layers = layers
        self.num_inputs, self.num_layers = 1, len(layers)

    def get_input(self, index):
        return ITensor()

    def get_layer(self, index):
        return ILayer(*self._layers[index])


class IOptimizationProfile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, input, min, opt, max):
        self.shapes[input] = (min, opt, max)


class ITimingCache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return memoryview(self.content)


class IBuilderConfig:
    def __init__(self, script):
        self._script, self._cache = script, None
        self.builder_optimization_level, self.progress_monitor = 0, None

    def set_memory_pool_limit(self, pool, pool_size):
        self._script.asked.append((pool.name, pool_size))

    def add_optimization_profile(self, profile):
        self._script.asked.append(profile.shapes)
        return 0 if profile.shapes["image"][2][0] <= self._script.largest else -1

    def create_timing_cache(self, serialized_timing_cache):
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache, ignore_mismatch):
        if cache.content and not self._script.timing_fits:
            return False
        self._cache = cache
        return True

    def get_timing_cache(self):
        return ITimingCache(self._cache.content + b"+")

    def set_flag(self, flag):
        self._script.asked.append(flag.name)


class Builder:
    script: Script

    def __init__(self, logger):
        self._logger = logger
        self.script.say(logger, "builder")

    def create_network(self, flags=0):
        self.script.asked.append(f"network {flags}")
        return INetworkDefinition(self.script.layers)

    def create_builder_config(self):
        return IBuilderConfig(self.script)

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        config.progress_monitor.phase_start("Timing", "", 3)
        config.progress_monitor.step_complete("Timing", 0)
        config.progress_monitor.phase_finish("Timing")
        plan = self.script.plans.pop(0)
        if plan is None:
            self.script.say(self._logger, "build")
        return plan


class ParserError:
    def __init__(self, refusal):
        self._code, self._desc, self._name, self._operator = refusal

    def code(self):
        return self._code

    def desc(self):
        return self._desc

    def node_name(self):
        return self._name

    def node_operator(self):
        return self._operator


class OnnxParser:
    script: Script

    def __init__(self, network, logger):
        self.num_errors = 1 if self.script.refusal else 0

    def parse(self, model, path=None):
        return not self.script.refusal

    def get_error(self, index):
        return ParserError(self.script.refusal)


class IExecutionContext:
    def __init__(self, script, logger):
        self._script, self._logger = script, logger
        self._addresses, self._batch = {}, 0

    def set_input_shape(self, name, shape):
        self._script.asked.append(f"shape {shape[0]}")
        self._batch = shape[0] if shape[0] <= self._script.largest else 0
        return self._batch > 0

    def set_tensor_address(self, name, memory):
        self._addresses[name] = memory
        return memory % 4 == 0

    def execute_async_v3(self, stream_handle):
        if self._script.say(self._logger, "run") or len(self._addresses) <= len(self._script.outputs):
            return False
        self._script.asked.append(f"run on {stream_handle}")
        image = _host(self._addresses["image"], ctypes.c_uint8, (self._batch, *self._script.image))
        for name, shape in self._script.outputs.items():
            output = _host(self._addresses[name], ctypes.c_float, (self._batch, *shape))
            output[:] = image.mean((1, 2, 3)).reshape(-1, *(1 for _ in shape))
        return True


def _host(address, kind, shape):
    count = int(np.prod(shape))
    return np.ctypeslib.as_array((kind * count).from_address(address)).reshape(shape)


class ICudaEngine:
    def __init__(self, script, logger):
        self._script, self._logger = script, logger
        self.num_io_tensors = 1 + len(script.outputs)

    def get_tensor_name(self, index):
        return ("image", *self._script.outputs)[index]

    def get_tensor_mode(self, name):
        return Mode.INPUT if name == "image" else Mode.OUTPUT

    def get_tensor_shape(self, name):
        return (-1, *{"image": self._script.image, **self._script.outputs}[name])

    def get_tensor_dtype(self, name):
        return DataType.UINT8 if name == "image" else self._script.dtype

    def create_execution_context(self, strategy=None):
        if not self._script.memory:
            self._logger.log(Severity.ERROR, "out of memory")
            return None
        return IExecutionContext(self._script, self._logger)


class Runtime:
    script: Script

    def __init__(self, logger):
        self._logger = logger
        self.script.say(logger, "runtime")

    def deserialize_cuda_engine(self, serialized_engine):
        if serialized_engine in self.script.loadable:
            return ICudaEngine(self.script, self._logger)
        self._logger.log(Severity.ERROR, "Serialization assertion failed")
        return None


def stand_in(script, flags=OldFlags):
    """A module that does as `script` says; with `OldFlags` it is TensorRT 10, with `NewFlags` 11."""
    scripted = {kind.__name__: type(kind.__name__, (kind,), {"script": script}) for kind in SCRIPTED}
    return SimpleNamespace(**PLAIN, **scripted, BuilderFlag=flags, __version__="10.3.0")


SCRIPTED = (Builder, OnnxParser, Runtime)
PLAIN = {
    "ILogger": ILogger,
    "IProgressMonitor": IProgressMonitor,
    "NetworkDefinitionCreationFlag": Flag,
    "TensorIOMode": Mode,
    "DataType": DataType,
    "LayerType": LayerType,
    "ErrorCode": ErrorCode,
    "MemoryPoolType": Pool,
}
KINDS = (
    *SCRIPTED,
    ILogger,
    IProgressMonitor,
    ITensor,
    ILayer,
    INetworkDefinition,
    IOptimizationProfile,
    ITimingCache,
    IBuilderConfig,
    ParserError,
    IExecutionContext,
    ICudaEngine,
)
