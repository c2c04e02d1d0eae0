"""Is a TensorRT plan kept for each engine that runs on TensorRT, and is it for this device as it is now."""

from __future__ import annotations

from dms.backends.cuda.runtime import Device, DeviceInfo
from dms.backends.trt import plan_key, plan_name
from dms.backends.trt_api import TensorRt, load_tensorrt
from dms.backends.trt_build import BuildOptions
from dms.config import EnginesConfig
from dms.doctor.check import Check, ok, warn
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.engines.opening import artefact_for, folder_of, options_of
from dms.engines.plans import Plans
from dms.errors import EngineError


def checks(config: EnginesConfig) -> dict[str, Check]:
    """Net → its check; none where no engine is for TensorRT, or no GPU is here."""
    nets = [net for net in CONTRACTS if getattr(config, net).backend == "trt"]
    if not nets:
        return {}
    try:
        gpu, api = Device().info, load_tensorrt()
    except EngineError:  # told among the runtimes
        return {}
    return {net: _checked(net, config, api, gpu) for net in nets}


def _checked(net: str, config: EnginesConfig, api: TensorRt, gpu: DeviceInfo) -> Check:
    try:
        return plan(net, config, api, gpu)
    except EngineError as error:
        return warn(f"plan {net}", str(error), f"dms engines build {net}")


def plan(net: str, config: EnginesConfig, api: TensorRt, gpu: DeviceInfo) -> Check:
    """Whether the kept plan of one engine is for its file, its options and this device."""
    own, note = getattr(config, net), load_manifest(folder_of(config) / net)
    options = options_of(own, config, lambda step: None)
    path = note.folder / note.files[artefact_for(note, own.precision, "trt", options)].path
    cure = f"dms engines build {net} --backend trt (else the next start does it, which takes minutes)"
    kept = Plans(options.cache, options.told).note(plan_name(path, options.max_batch))
    if kept is None:
        return warn(f"plan {net}", f"none is kept for {path.name}", cure)
    changed = plan_key(api, path, gpu, BuildOptions(max_batch=options.max_batch)).differences(kept.key)
    if changed:
        return warn(f"plan {net}", f"for another case: {changed}", cure)
    timed = "" if kept.p50_ms is None else f", {kept.p50_ms:.2f} ms a run when it was gated"
    typed = "" if kept.strongly_typed else ", types chosen by the builder"
    return ok(f"plan {net}", f"for this device, built in {kept.build_s:.0f} s{typed}{timed}")
