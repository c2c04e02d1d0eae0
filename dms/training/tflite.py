"""From a trained net to LiteRT's two files: `model.tflite` and `model.int8.tflite` (extra `lite-convert`).

The torch module itself is converted, not its ONNX. Before that it must give what the shipped FP32 engine
gives, so that all runtimes keep one meaning. The float file stores its weights as FP16 and computes in FP32,
as the ONNX files do. The INT8 file has activations with a zero point and weights per channel; what the ONNX
INT8 forms keep in floating point stays so here, and so do the scaling of the luma and all that follows the
last layers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from dms.engines.contract import CONTRACTS
from dms.engines.graph import WEIGHTED
from dms.engines.manifest import EngineFile, Manifest, load_manifest, rewrite
from dms.engines.running import Images, infer_with
from dms.engines.storage import LEAST_VALUES, read_model
from dms.errors import ConfigError, EngineMismatch
from dms.files import write_together
from dms.training.fitting import load_trained, recipe_of
from dms.training.folding import fused
from dms.training.recipe import make_net

NAMES = {"lite.fp32": "model.tflite", "lite.int8": "model.int8.tflite"}
"""File name of each artefact."""
TOLERANCE = 1e-4
"""How far the torch module may be from the shipped engine, relative to the larger of 1 and the value."""
SIGNATURE = "serving_default"
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_TOOLS = ("litert-torch", "litert-converter", "ai-edge-quantizer", "ai-edge-litert", "torch")


def convert(
    net: str, engines: Path, images: Images, config: Path, trained: Path | None = None
) -> dict[str, int]:
    """Make both files of an engine and write them, with their rows of the manifest.

    Args:
        net: the engine's name.
        engines: the folder of the engines.
        images: uint8 (n, 1, height, width), to take the ranges of INT8 from.
        config: the recipe, or a folder of recipes, that tells the net's shape.
        trained: what `fit` wrote for this net; None takes the weights of the shipped FP32 engine.

    Returns:
        The size in bytes of each artefact.

    Raises:
        ConfigError: the converter is not installed.
        EngineError: the shipped engine is missing, or the net does not give what it gives.
        InputError: nothing trained lies in `trained`, or the files cannot be written.
    """
    _require_converter()
    note = load_manifest(engines / net)
    path = note.verified_path("fp32")
    shipped = read_model(path, net)
    module = _trained(trained, net) if trained else _shipped(shipped, net, config)
    require_same(module, path, images[:16])
    plain = _converted(module, net)
    contents = {
        "lite.fp32": halved(plain),
        "lite.int8": quantized(plain, images, _biases(shipped, note.float_nodes)),
    }
    _place(note, contents)
    return {artefact: len(content) for artefact, content in contents.items()}


def _require_converter() -> None:
    try:
        import ai_edge_quantizer  # noqa: F401
        import litert_torch  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'dms[lite-convert]'") from error


def _shipped(model: ModelProto, net: str, config: Path) -> nn.Module:
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


def _trained(folder: Path, net: str) -> nn.Module:
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


class _OneRow(nn.Module):
    """Takes the picture by its name, gives the contract's outputs in order by theirs: the file's signature."""

    def __init__(self, module: nn.Module, names: Iterable[str]) -> None:
        super().__init__()
        self.module, self.names = module, tuple(names)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        out = self.module(image)
        return {name: out[name] for name in self.names}


def _converted(module: nn.Module, net: str) -> bytes:
    """A flatbuffer of one picture at a time, all of it FP32."""
    import litert_torch

    contract = CONTRACTS[net]
    blank = torch.zeros(1, 1, contract.height, contract.width, dtype=torch.uint8)
    edge = litert_torch.signature(
        SIGNATURE, _OneRow(module, contract.outputs).eval(), sample_kwargs={"image": blank}
    ).convert()
    return bytes(edge.model_content())


def halved(model: bytes) -> bytes:
    """The same net with its weights stored as FP16; a runtime widens them when it loads the file."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    casting = quantizer.Quantizer(model)
    for operation in _WEIGHTED:
        casting.add_weight_only_config(".*", operation, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    return bytes(casting.quantize(enable_progress_report=False).quantized_model)


def quantized(model: bytes, images: Images, float_layers: Iterable[NDArray[Any]]) -> bytes:
    """The net in INT8, its ranges taken from `images`; layers with one of the given biases stay in float."""
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    reducing = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    for scope in _float_scopes(model, tuple(float_layers)):
        reducing.update_quantization_recipe(
            f"^{re.escape(scope)}$", "*", algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    rows = [{"image": images[i : i + 1]} for i in range(len(images))]
    ranges = reducing.calibrate({SIGNATURE: rows}, num_threads=1)
    return bytes(reducing.quantize(ranges, enable_progress_report=False).quantized_model)


def _biases(shipped: ModelProto, float_nodes: Iterable[str]) -> Iterator[NDArray[Any]]:
    """The biases of the named layers: no other layer has the same, so they tell which is which."""
    held = {w.name: w for w in shipped.graph.initializer}
    names = set(float_nodes)
    for node in shipped.graph.node:
        if node.name in names and node.op_type in WEIGHTED:
            yield numpy_helper.to_array(held[node.input[2]])


def _float_scopes(model: bytes, biases: tuple[NDArray[Any], ...]) -> Iterator[str]:
    """The quantiser's names of the operations that stay in float.

    They are the layers with one of the biases, what scales the picture for the first layers, and what carries
    the last layers' results to the outputs.
    """
    operations = _operations(model)
    after, before = _after_layers(operations), _before_layers(operations)
    for operation in operations:
        bias = operation.bias
        if bias is not None:
            stays = any(np.array_equal(bias, given) for given in biases)
        else:
            stays = not (operation.inputs & after and operation.outputs & before)
        if stays:
            yield operation.scope


@dataclass(frozen=True)
class _Operation:
    """One of a flatbuffer: the quantiser's name of it, its tensors' numbers; `bias` if it is a layer."""

    scope: str
    inputs: frozenset[int]
    outputs: frozenset[int]
    bias: NDArray[Any] | None


def _operations(model: bytes) -> list[_Operation]:
    from ai_edge_litert.tools.flatbuffer_utils import opcode_to_name
    from ai_edge_quantizer.utils.tfl_flatbuffer_utils import get_op_scope, get_tensor_data, read_model

    graph = read_model(model)
    (part,) = graph.subgraphs
    found = []
    for op in part.operators:
        weighted = opcode_to_name(graph, op.opcodeIndex) in _WEIGHTED
        bias = get_tensor_data(part.tensors[op.inputs[2]], graph.buffers) if weighted else None
        scope = get_op_scope(op, part.tensors)
        found.append(_Operation(scope, frozenset(op.inputs), frozenset(op.outputs), bias))
    return found


def _after_layers(operations: Iterable[_Operation]) -> set[int]:
    """The tensors that depend on a layer."""
    reached: set[int] = set()
    for operation in operations:
        if operation.bias is not None or operation.inputs & reached:
            reached |= operation.outputs
    return reached


def _before_layers(operations: Sequence[_Operation]) -> set[int]:
    """The tensors that a layer depends on."""
    reached: set[int] = set()
    for operation in reversed(operations):
        if operation.bias is not None or operation.outputs & reached:
            reached |= operation.inputs
    return reached


def _place(note: Manifest, contents: Mapping[str, bytes]) -> None:
    """Write the files, then the manifest that vouches for them; what was proved of older ones is dropped."""
    folder = note.folder
    write_together({folder / NAMES[artefact]: content for artefact, content in contents.items()})
    files = {
        artefact: EngineFile(
            path=NAMES[artefact], sha256=hashlib.sha256(content).hexdigest(), bytes=len(content)
        )
        for artefact, content in contents.items()
    }
    rewrite(
        folder,
        files={**note.files, **files},
        proofs={precision: by for precision, by in note.proofs.items() if precision not in files},
        metrics={precision: by for precision, by in note.metrics.items() if precision not in files},
        speed_ms={runtime: by for runtime, by in note.speed_ms.items() if runtime != "litert"},
        tools={**note.tools, **{name: version(name) for name in _TOOLS}},
    )
