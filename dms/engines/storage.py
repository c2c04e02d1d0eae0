"""How engine files are read and stored: ours or refused; weights halved on disk, whole when computing.

A float file of these nets is up to 7 MB, mostly weights. Stored as FP16 behind a Cast it is half of that;
every runtime folds the Cast when it loads the file and computes in FP32 as before.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]
from onnx import ModelProto, TensorProto, helper, numpy_helper

from dms.engines.contract import CONTRACTS
from dms.errors import EngineMismatch, EngineMissing

LEAST_VALUES = 1024
"""Smaller tensors (biases, constants) stay as they are: nothing to gain."""
_SUFFIX = "_half"


def read_model(path: Path, net: str) -> ModelProto:
    """Read an ONNX file of ours, its weights whole again.

    Raises:
        EngineMissing: there is no such file.
        EngineMismatch: it is no ONNX, or does not take and give what the net's contract says.
    """
    try:
        model = onnx.load_from_string(path.read_bytes())
    except OSError as error:
        raise EngineMissing(
            f"no readable model at {path} ({error.strerror}); train it, or name the folder that holds it"
        ) from error
    except DecodeError as error:
        raise EngineMismatch(f"{path} is no ONNX file, or it is cut short; export it again") from error
    _check_ours(model, net, path)
    restore_weights(model)
    return model


def model_hash(model: ModelProto) -> str:
    """The SHA-256 of a model as `read_model` returns it: what ranges are bound to."""
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def halve_weights(model: ModelProto) -> None:
    """Store every large FP32 initializer as FP16 with a Cast back to FP32, in place."""
    graph = model.graph
    large = [w for w in graph.initializer if w.data_type == TensorProto.FLOAT and _count(w) >= LEAST_VALUES]
    for weight in large:
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype("float16"), weight.name + _SUFFIX)
        graph.initializer.remove(weight)
        graph.initializer.append(half)
        cast = helper.make_node("Cast", [half.name], [weight.name], name=half.name, to=TensorProto.FLOAT)
        graph.node.insert(0, cast)


def restore_weights(model: ModelProto) -> None:
    """Undo `halve_weights`, in place: plain FP32 initializers, as a quantiser wants them."""
    graph = model.graph
    casts = [node for node in graph.node if node.op_type == "Cast" and node.name.endswith(_SUFFIX)]
    halves = {w.name: w for w in graph.initializer}
    for cast in casts:
        half = halves[cast.input[0]]
        whole = numpy_helper.from_array(numpy_helper.to_array(half).astype("float32"), cast.output[0])
        graph.initializer.remove(half)
        graph.initializer.append(whole)
        graph.node.remove(cast)


def declare_outputs(model: ModelProto, net: str) -> None:
    """Write the contract's output shapes into the file, in place: exporters leave them symbolic.

    Raises:
        KeyError: the model has an output that is none of the net's.
    """
    for output in model.graph.output:
        shape = [("batch"), *CONTRACTS[net].outputs[output.name]]
        output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape))
    onnx.checker.check_model(model, full_check=True)


def _check_ours(model: ModelProto, net: str, path: Path) -> None:
    contract = CONTRACTS[net]
    takes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim[1:]] for i in model.graph.input}
    gives = {output.name for output in model.graph.output}
    wanted = {"image": [1, contract.height, contract.width]}
    if takes != wanted or gives != set(contract.outputs):
        raise EngineMismatch(
            f"{path} is no {net} engine: it takes {takes} and gives {sorted(gives)}; one takes {wanted} and "
            f"gives {sorted(contract.outputs)}; give what `python -m dms.training fit {net}` wrote"
        )


def _count(tensor: TensorProto) -> int:
    count = 1
    for side in tensor.dims:
        count *= side
    return count
