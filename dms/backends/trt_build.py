"""From ONNX to a TensorRT plan: types as the file says, batches up to the one asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dms.backends.trt_api import TensorRt, created, new_logger
from dms.engines.plans import Built
from dms.errors import EngineMismatch, EngineMissing, EngineUnavailable

TELL_EVERY_S = 1.0
Told = Callable[[str], None]


@dataclass(frozen=True)
class BuildOptions:
    """How a plan is built.

    `workspace_mb` bounds the scratch memory of a kernel, `level` (0 to 5) how many kernels are tried; 3 is
    TensorRT's own default.
    """

    max_batch: int = 1
    workspace_mb: int = 256
    level: int = 3

    def as_key(self) -> dict[str, int]:
        """As they enter a plan's key."""
        return asdict(self)


def build_plan(
    api: TensorRt,
    path: Path,
    options: BuildOptions,
    told: Told,
    timing: bytes = b"",
    target: str = "",
) -> Built:
    """Compile the ONNX file `path`.

    Args:
        api: the library to do it with.
        path: the file.
        options: see there.
        told: hears how far it is, from another thread.
        timing: what earlier builds on this device found; `Built.timing` is that and more.
        target: the compute capability to build for, as `SM86`, where no GPU is asked (TensorRT-RTX); empty:
            the GPU that is here.

    Raises:
        EngineMissing: there is no such file.
        EngineMismatch: it is no ONNX.
        EngineUnavailable: TensorRT refused a node (which is named), or could not build.
    """
    try:
        model = path.read_bytes()
    except OSError as error:
        raise EngineMissing(f"no readable model at {path} ({error.strerror})") from error
    job = _Job(api, path, model, options, _monitor(api, path.name, told), timing, target)
    # In a thread of its own: a signal that arrives inside a callback of TensorRT is swallowed there, and
    # Python hands signals to the main thread alone.
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(job.run_either_way, told)
        try:
            return building.result()
        finally:
            job.monitor.cancelled = True


@dataclass(frozen=True)
class _Job:
    api: TensorRt
    path: Path
    model: bytes
    options: BuildOptions
    monitor: Any
    timing: bytes
    target: str

    def run_either_way(self, told: Told) -> Built:
        """Types as the file has them; where that fails and the builder can choose, as it chooses."""
        logger = new_logger(self.api)
        builder = created(self.api, self.api.module.Builder, logger)
        try:
            return self.run(builder, logger, strongly_typed=True)
        except EngineUnavailable as error:
            if self.monitor.cancelled or not hasattr(self.api.module.BuilderFlag, "INT8"):
                raise
            told(f"{self.path.name}: {error}; trying again with types chosen by {self.api}")
            logger.errors.clear()
            return self.run(builder, logger, strongly_typed=False)

    def run(self, builder: Any, logger: Any, *, strongly_typed: bool) -> Built:
        trt = self.api.module
        strong = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(strong if strongly_typed else 0)
        parser = trt.OnnxParser(network, logger)  # owns the weights, so it must live until the plan is built
        self._parse(parser, logger)
        config = builder.create_builder_config()
        self._configure(config, builder, network)
        if not strongly_typed:
            _allow_types(trt, config, network)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise EngineUnavailable(
                f"{self.path}: {self.api} could not build it: {logger.last()}; "
                "choose another precision or another backend"
            )
        return Built(bytes(plan), self._timing(config), strongly_typed)

    def _parse(self, parser: Any, logger: Any) -> None:
        if parser.parse(self.model):
            return
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        if not errors or errors[0].code() == self.api.module.ErrorCode.MODEL_DESERIALIZE_FAILED:
            raise EngineMismatch(
                f"{self.path}: {self.api} cannot read it, it is no ONNX file or damaged ({logger.last()}); "
                "restore the engine file"
            )
        refused = "; ".join(_refusal(error) for error in errors)
        raise EngineUnavailable(
            f"{self.path}: {self.api} does not take {refused}; choose another precision or another backend"
        )

    def _configure(self, config: Any, builder: Any, network: Any) -> None:
        trt = self.api.module
        config.builder_optimization_level = self.options.level
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, self.options.workspace_mb << 20)
        config.progress_monitor = self.monitor
        self._add_profile(config, builder, network)
        if self.target:
            self._aim(config)
        if not self.api.is_rtx:  # there timing caches do nothing, and say so
            cache = config.create_timing_cache(self.timing)
            if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
                config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)

    def _add_profile(self, config: Any, builder: Any, network: Any) -> None:
        """Any batch from one to the largest, at its best for one."""
        profile = builder.create_optimization_profile()
        inputs = [network.get_input(i) for i in range(network.num_inputs)]
        for tensor in inputs:
            rest = tuple(tensor.shape)[1:]
            profile.set_shape(tensor.name, (1, *rest), (1, *rest), (self.options.max_batch, *rest))
        if config.add_optimization_profile(profile) < 0:
            shapes = ", ".join(f"{t.name} {tuple(t.shape)}" for t in inputs)
            raise EngineUnavailable(
                f"{self.path}: {self.api} takes no batch of 1 to {self.options.max_batch} for {shapes}; "
                "ask for another batch, or choose another backend"
            )

    def _aim(self, config: Any) -> None:
        known = getattr(self.api.module, "ComputeCapability", None)
        target = getattr(known, self.target, None)
        if target is None:
            names = [name for name in getattr(known, "__members__", ()) if name.startswith("SM")]
            others = ", ".join(names) or "the GPU that is here"
            raise EngineUnavailable(f"{self.api} cannot build for {self.target}, only for {others}")
        config.num_compute_capabilities = 1
        config.set_compute_capability(target, 0)

    def _timing(self, config: Any) -> bytes:
        cache = None if self.api.is_rtx else config.get_timing_cache()
        return bytes(cache.serialize()) if cache is not None else b""


def _refusal(error: Any) -> str:
    """What the parser refused: the node, its operator, and its own words, which tell of types."""
    first, _, more = error.desc().partition("\n")
    words = " ".join((more or first).split("\n")[0].split())
    return f"node {error.node_name()!r} ({error.node_operator()}): {words}"


def _allow_types(trt: Any, config: Any, network: Any) -> None:
    """Weak typing: let the builder use the types that the file itself uses, no other."""
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    if any(layer.type == trt.LayerType.DEQUANTIZE for layer in layers):
        config.set_flag(trt.BuilderFlag.INT8)
    # Weights stored as FP16 behind a Cast make no FP16 net: what the convolutions take does.
    inputs = [layer.get_input(0) for layer in layers if layer.type == trt.LayerType.CONVOLUTION]
    if any(tensor.dtype == trt.DataType.HALF for tensor in inputs):
        config.set_flag(trt.BuilderFlag.FP16)


def _monitor(api: TensorRt, name: str, told: Told, clock: Callable[[], float] = time.monotonic) -> Any:
    """Tells the phase and how far it is, now and then; ends the build once `cancelled` is set."""
    base = api.module.IProgressMonitor

    class Monitor(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            base.__init__(self)
            self.cancelled = False
            self._steps: dict[str, int] = {}
            self._told_s = clock()

        def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
            self._steps[phase_name] = num_steps

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if clock() - self._told_s >= TELL_EVERY_S:
                self._told_s = clock()
                told(f"{name}: {phase_name}, {step + 1} of {self._steps.get(phase_name, step + 1)}")
            return not self.cancelled

    return Monitor()
