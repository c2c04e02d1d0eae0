"""Is a TensorRT plan kept for each engine that runs on TensorRT, and is it for this device as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dms.backends.cuda.runtime import Device, DeviceInfo
from dms.backends.trt import plan_name
from dms.backends.trt_api import load_tensorrt
from dms.config import EnginesConfig
from dms.control.sensors import Sensors
from dms.doctor.check import Check, ok, warn
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.engines.opening import artefact_for, folder_of, options_of
from dms.engines.plans import Plans
from dms.errors import EngineError


def checks(config: EnginesConfig) -> Iterator[Check]:
    """All checks of this module; none where no engine is for TensorRT, or no GPU is here."""
    nets = [net for net in CONTRACTS if getattr(config, net).backend == "trt"]
    if not nets:
        return
    try:
        here = this_device(Device().info, Sensors())
    except EngineError:  # told among the runtimes
        return
    for net in nets:
        try:
            yield plan(net, config, here)
        except EngineError as error:
            yield warn(f"plan {net}", str(error), f"dms engines build {net}")


def this_device(gpu: DeviceInfo, sensors: Sensors) -> dict[str, object]:
    """What a plan depends on beside the engine's file, named as in `PlanKey`."""
    api = load_tensorrt()
    return {
        "flavour": api.flavour,
        "version": api.version,
        "cuda": gpu.runtime,
        "driver": gpu.driver,
        "gpu": gpu.name,
        "compute_capability": gpu.capability,
        "multiprocessors": gpu.multiprocessors,
        "l4t": sensors.l4t(),
        "power_mode": sensors.power_mode(),
    }


def plan(net: str, config: EnginesConfig, here: Mapping[str, object]) -> Check:
    """Whether the kept plan of one engine is for its file and for this device."""
    own, note = getattr(config, net), load_manifest(folder_of(config) / net)
    options = options_of(own, config, lambda step: None)
    file = note.files[artefact_for(note, own.precision, "trt", options)]
    name = plan_name(Path(net) / file.path, options.max_batch)
    cure = f"dms engines build {net} --backend trt (else the next start does it, which takes minutes)"
    kept = Plans(options.cache, options.told).note(name)
    if kept is None:
        return warn(f"plan {net}", f"none is kept for {file.path}", cure)
    wanted, was = {"onnx_sha256": file.sha256, **here}, kept.key.model_dump()
    changed = [f"{field} {was[field]} is now {now}" for field, now in wanted.items() if was[field] != now]
    if changed:
        return warn(f"plan {net}", f"for another case: {', '.join(changed)}", cure)
    timed = "" if kept.p50_ms is None else f", {kept.p50_ms:.2f} ms a run when it was gated"
    typed = "" if kept.strongly_typed else ", types chosen by the builder"
    return ok(f"plan {net}", f"for this device, built in {kept.build_s:.0f} s{typed}{timed}")
