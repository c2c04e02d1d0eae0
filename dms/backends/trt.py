"""TensorRT (extras `jetson6`, `jetson7`): an ONNX file, built once into a plan for this device, and kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dms.backends import Arrays, Options, TensorSpec
from dms.backends.cuda.runner import DeviceRunner
from dms.backends.cuda.runtime import Device, DeviceInfo
from dms.backends.trt_api import TensorRt, created, load_tensorrt, new_logger
from dms.backends.trt_build import BuildOptions, build_plan
from dms.control.sensors import Sensors
from dms.engines.plans import Built, PlanKey, Plans
from dms.errors import EngineError, EngineMissing, EngineUnavailable
from dms.files import sha256

_DTYPES = {"FLOAT": "float32", "HALF": "float16", "UINT8": "uint8", "INT8": "int8", "INT32": "int32"}
"""Of our own: TensorRT's `nptype` fails with a NumPy newer than it knows."""

DRIVER = Path("/sys/module/nvidia/version")


class TrtBackend:
    """One ONNX file on the GPU; `device` is the engine itself, for those who chain it with others.

    The first start on a device builds the plan, which takes a while and is told; later ones load it.

    Raises:
        EngineMissing: there is no such file.
        EngineMismatch: it is no ONNX.
        EngineUnavailable: no GPU, no TensorRT that can be used, or it cannot build or load this file.
    """

    def __init__(self, path: Path, options: Options) -> None:
        # First the GPU: without one, some versions of TensorRT end the process instead of saying so.
        gpu = Device().info
        api = load_tensorrt()
        building = BuildOptions(max_batch=options.max_batch)
        self.device = load_or_build(api, path, plan_key(api, path, gpu, building), building, options)
        self._runner = DeviceRunner(self.device, options.max_batch)
        self.inputs, self.outputs = self.device.inputs, self.device.outputs

    def infer(self, feeds: Arrays) -> Arrays:
        """Run once; see `Backend.infer`."""
        return self._runner.infer(feeds)

    def close(self) -> None:
        """Free the engine and its memory. May be called twice."""
        self._runner.close()


def load_or_build(
    api: TensorRt, path: Path, key: PlanKey, building: BuildOptions, options: Options
) -> TrtEngine:
    """The engine of `path`, from the plan kept for `key` or from a new one.

    Raises:
        EngineMismatch: the file is no ONNX.
        EngineUnavailable: TensorRT cannot build it, or not load what it has built.
    """
    logger = new_logger(api)
    runtime = created(api, api.module.Runtime, logger)

    def build(timing: bytes) -> Built:
        return build_plan(api, path, building, options.told, timing)

    plans = Plans(options.cache, options.told)
    engine = plans.load(plan_name(path, building.max_batch), key, runtime.deserialize_cuda_engine, build)
    if engine is None:
        raise EngineUnavailable(
            f"{path}: {api} cannot load the plan it has just built on {key.gpu}: {logger.last()}; "
            "end what else uses the GPU's memory, or choose another backend"
        )
    logger.errors.clear()  # what an older plan was refused for is no news any more
    return TrtEngine(api, path.name, runtime, engine, logger)


def plan_key(api: TensorRt, path: Path, gpu: DeviceInfo, building: BuildOptions) -> PlanKey:
    """All that the plan of `path` depends on, here and now.

    Raises:
        EngineMissing: there is no such file.
    """
    try:
        onnx_sha256 = sha256(path)
    except OSError as error:
        raise EngineMissing(f"no readable model at {path} ({error.strerror})") from error
    sensors = Sensors()
    return PlanKey(
        onnx_sha256=onnx_sha256,
        flavour=api.flavour,
        version=api.version,
        cuda=gpu.driver,
        driver=driver_version(),
        gpu=gpu.name,
        compute_capability=gpu.capability,
        multiprocessors=gpu.multiprocessors,
        l4t=sensors.l4t(),
        power_mode=sensors.power_mode(),
        options=building.as_key(),
    )


def driver_version(told_in: Path = DRIVER) -> str | None:
    """The driver's own version, as its kernel module tells; None where that has another name, or none."""
    try:
        return told_in.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeError):
        return None


def plan_name(path: Path, max_batch: int) -> str:
    """What the plan of an engine file is kept as: one a net, precision and batch."""
    return f"{path.parent.name}.{path.name.removesuffix('.onnx')}.b{max_batch}"


class TrtEngine:
    """A `DeviceEngine`: a plan with one execution context, its tensors in memory that somebody else owns.

    Raises:
        EngineUnavailable: there is no memory for it on the GPU, or it holds a type that we do not.
    """

    def __init__(self, api: TensorRt, name: str, runtime: Any, engine: Any, logger: Any) -> None:
        self._name = name
        self._logger = logger
        inputs, outputs = _specs(api, name, engine)
        self.inputs: Mapping[str, TensorSpec] = inputs
        self.outputs: Mapping[str, TensorSpec] = outputs
        self._context: Any = engine.create_execution_context()
        if self._context is None:
            raise EngineUnavailable(
                f"{name}: {api} has no memory on the GPU to run it in: {logger.last()}; "
                "end what else uses the GPU, or choose another backend"
            )
        self._held: tuple[Any, ...] = (engine, runtime)  # must outlive the context
        self._batch = 0

    def bind(self, name: str, address: int) -> None:
        """Where the input or output `name` lies; see `DeviceEngine.bind`."""
        if not self._open().set_tensor_address(name, address):
            raise self._failed(f"does not take an address for {name}")

    def enqueue(self, stream: int, batch: int = 1) -> None:
        """Put one run on a CUDA stream; see `DeviceEngine.enqueue`."""
        context = self._open()
        if batch != self._batch:
            self._set_batch(context, batch)
        if not context.execute_async_v3(stream):
            raise self._failed("could not be run")

    def _set_batch(self, context: Any, batch: int) -> None:
        self._batch = 0  # what a refusal leaves behind is unknown
        for spec in self.inputs.values():
            shape = tuple(batch if side is None else side for side in spec.shape)
            if shape[0] != batch or not context.set_input_shape(spec.name, shape):
                raise self._failed(f"does not take a batch of {batch}")
        self._batch = batch

    def _open(self) -> Any:
        if self._context is None:
            raise EngineError("the engine was closed; open it again before use")
        return self._context

    def _failed(self, what: str) -> EngineError:
        return EngineError(f"{self._name} {what}: {self._logger.last()}")

    def close(self) -> None:
        """Free the engine. May be called twice."""
        self._context = None
        self._held = ()


def _specs(api: TensorRt, name: str, engine: Any) -> tuple[dict[str, TensorSpec], dict[str, TensorSpec]]:
    modes = api.module.TensorIOMode
    sides: dict[Any, dict[str, TensorSpec]] = {modes.INPUT: {}, modes.OUTPUT: {}}
    for index in range(engine.num_io_tensors):
        tensor = engine.get_tensor_name(index)
        dtype = engine.get_tensor_dtype(tensor).name
        if dtype not in _DTYPES:
            raise EngineUnavailable(f"{name}: tensor {tensor} is {dtype}, which has no NumPy type")
        shape = tuple(None if side < 0 else side for side in engine.get_tensor_shape(tensor))
        sides[engine.get_tensor_mode(tensor)][tensor] = TensorSpec(tensor, shape, _DTYPES[dtype])
    return sides[modes.INPUT], sides[modes.OUTPUT]
