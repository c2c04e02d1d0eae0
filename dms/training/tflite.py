"""From a trained net to LiteRT's two files: `model.tflite` and `model.int8.tflite` (extra `lite-convert`).

The torch module itself is converted, not its ONNX. Before that it must give what the shipped FP32 engine
gives, so that all runtimes keep one meaning. The float file stores its weights as FP16 and computes in FP32,
as the ONNX files do. The INT8 file has activations with a zero point and weights per channel; what the ONNX
INT8 forms keep in floating point stays so here, and so do the scaling of the luma and all that follows the
last layers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from torch import nn

from dms.calibration.inputs import inputs_of
from dms.engines.contract import CONTRACTS
from dms.engines.graph import WEIGHTED
from dms.engines.limits import MOST_IMAGES
from dms.engines.manifest import load_manifest
from dms.engines.release import put
from dms.engines.running import Images, infer_with
from dms.engines.storage import LEAST_VALUES, read_model
from dms.errors import ConfigError, EngineMismatch
from dms.evaluation.labelled import open_labelled
from dms.training.fitting import load_trained, recipe_of
from dms.training.folding import fused
from dms.training.recipe import make_net
from dms.training.tflite_layers import float_patterns, operations_of

TOLERANCE = 1e-4
"""How far the torch module may be from the shipped engine, relative to the larger of 1 and the value."""
SIGNATURE = "serving_default"
_TOOLS = ("litert-torch", "litert-converter", "ai-edge-quantizer", "ai-edge-litert", "torch")


def convert(net: str, engines: Path, data: Path, config: Path, trained: Path | None = None) -> dict[str, int]:
    """Make both files of an engine and write them, with their rows of the manifest.

    Args:
        net: the engine's name.
        engines: the folder of the engines.
        data: a pack or a labelled folder, to take the ranges of INT8 from.
        config: the recipe, or a folder of recipes, that tells the net's shape.
        trained: what `fit` wrote for this net; None takes the weights of the shipped FP32 engine.

    Returns:
        The size in bytes of each artefact.

    Raises:
        ConfigError: the converter is not installed.
        EngineError: the shipped engine is missing, or the net does not give what it gives.
        InputError: there is no such data, nothing trained lies in `trained`, or the files cannot be written.
    """
    _require_converter()
    note = load_manifest(engines / net)
    path = note.verified_path("fp32")
    shipped = read_model(path, net)
    images = inputs_of(net, open_labelled(data), data, MOST_IMAGES)
    module = trained_module(trained, net) if trained else shipped_module(shipped, net, config)
    require_same(module, path, images[:16])
    plain = converted(module, net)
    contents = {
        "lite.fp32": halved(plain),
        "lite.int8": quantized(plain, images, biases(shipped, note.float_nodes)),
    }
    put(engines / net, load_manifest(engines / net), contents, {name: version(name) for name in _TOOLS})
    return {artefact: len(content) for artefact, content in contents.items()}


def _require_converter() -> None:
    try:
        import ai_edge_quantizer  # noqa: F401
        import litert_torch  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'dms[lite-convert]'") from error


def shipped_module(model: ModelProto, net: str, config: Path) -> nn.Module:
    """The training module, its norms folded, with the weights that the shipped engine holds."""
    module = fused(make_net(net, recipe_of(net, config).net))
    held = {w.name.removeprefix("net."): numpy_helper.to_array(w) for w in model.graph.initializer}
    wanted = module.state_dict()
    # `extra` is a head for training alone: no engine has it.
    found = {k: torch.from_numpy(held[k].copy()) if k in held else v for k, v in wanted.items()}
    lacking = [k for k in wanted if k not in held and not k.startswith("extra.")]
    if lacking or any(found[k].shape != wanted[k].shape for k in wanted):
        raise EngineMismatch(
            f"the recipe in {config} is of another shape than the shipped {net} engine "
            f"({', '.join(lacking) or 'other channels'}); name the recipe it was trained by with --config, "
            "or what `fit` wrote with --from"
        )
    module.load_state_dict(found)
    return module


def trained_module(folder: Path, net: str) -> nn.Module:
    """What `fit` trained, its norms folded and its large weights rounded to FP16 as all float files do."""
    module = fused(load_trained(folder, net)).float()
    with torch.no_grad():
        for weight in module.parameters():
            if weight.numel() >= LEAST_VALUES:
                weight.copy_(weight.half())
    return module


def require_same(module: nn.Module, shipped: Path, images: Images) -> None:
    """Compare a torch module with the shipped engine on pictures.

    Raises:
        EngineMismatch: they differ by more than `TOLERANCE`.
    """
    expected = infer_with(shipped.read_bytes())(images)
    with torch.no_grad():
        found = module(torch.from_numpy(images))
    for name, values in expected.items():
        apart = float((np.abs(found[name].numpy() - values) / np.maximum(1, np.abs(values))).max())
        if not apart <= TOLERANCE:
            raise EngineMismatch(
                f"the torch net gives another {name} than {shipped} (by {apart:.2g}): they are of different "
                "trainings; run `dms engines export` with the same folder first"
            )


def converted(module: nn.Module, net: str) -> bytes:
    """A flatbuffer of one picture at a time, all of it FP32; its signature has the module's output names."""
    import litert_torch

    contract = CONTRACTS[net]
    blank = torch.zeros(1, 1, contract.height, contract.width, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter and torch tell each other what is old in them
        found = litert_torch.signature(SIGNATURE, module, sample_kwargs={"image": blank}).convert()
    return bytes(found.model_content())


def halved(model: bytes) -> bytes:
    """The same net with its large weights stored as FP16; a runtime widens them when it loads the file."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    casting = quantizer.Quantizer(model)
    for layer in operations_of(model):
        if layer.weight is not None and layer.weight.size >= LEAST_VALUES:
            casting.add_weight_only_config(
                layer.pattern, layer.kind, 16, algorithm_key=AlgorithmName.FLOAT_CASTING
            )
    return bytes(casting.quantize(enable_progress_report=False).quantized_model)


def quantized(model: bytes, images: Images, float_layers: Iterable[NDArray[Any]]) -> bytes:
    """The net in INT8, its ranges taken from `images`; layers with one of the given biases stay in float."""
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    reducing = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    stays = [(pattern, "*") for pattern in float_patterns(model, tuple(float_layers))]
    # The outputs too: else they would leave as bytes, which no one takes for what they mean.
    for pattern, kind in (*stays, (".*", "OUTPUT")):
        reducing.update_quantization_recipe(pattern, kind, algorithm_key=AlgorithmName.NO_QUANTIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that to keep all tensors takes memory: ranges need just that
        ranges = _ranges(model, images, reducing.get_quantization_recipe())
        found = reducing.quantize(ranges, enable_progress_report=False)
    return bytes(found.quantized_model)


def _ranges(model: bytes, images: Images, recipe: list[dict[str, Any]]) -> dict[str, Any]:
    """Least and greatest value of each tensor over all pictures.

    The quantiser's own way, a moving average, forgets all but the last pictures: measured, it lost 0.65
    points of the distraction engine, this 0.05.
    """
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    manager = RecipeManager()
    manager.load_quantization_recipe(recipe)
    watching = Calibrator(model, num_threads=1, qsv_update_func=min_max_update)
    watching.calibrate({SIGNATURE: [{"image": images[i : i + 1]} for i in range(len(images))]}, manager)
    return dict(watching.get_model_qsvs())


def biases(shipped: ModelProto, float_nodes: Iterable[str]) -> Iterator[NDArray[Any]]:
    """The biases of the named layers: no other layer has the same, so they tell which is which."""
    held = {w.name: w for w in shipped.graph.initializer}
    names = set(float_nodes)
    for node in shipped.graph.node:
        if node.name in names and node.op_type in WEIGHTED:
            yield numpy_helper.to_array(held[node.input[2]])
