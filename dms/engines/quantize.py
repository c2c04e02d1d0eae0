"""From one ranges table to the INT8 forms of a net: one form cannot serve all families of runtimes.

`cpu.int8`: activations U8 with a zero point, weights S8 per channel. ONNX Runtime fuses convolution and ReLU
into one integer kernel only in this form.
`trt.int8`: symmetric S8 throughout, zero point 0, biases in float, Q/DQ on the inputs of layers alone (also
on the skip input of an Add, so that the Add fuses): what TensorRT accepts and OpenVINO runs fastest. Weights
lie as INT8 behind a DequantizeLinear: a quarter of the size of a Q/DQ pair on float weights.
`qnn.int8`: as `cpu.int8`, but nothing is left in float: Hexagon up to v68 has no floating point, and v73
takes a byte cast to FP32 for 0 or 1. The heads and all after them have activations of 16 bits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, shape_inference
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import add_infer_metadata

from dms.engines.graph import QUANTISED, WEIGHTED, groups, heads, tail
from dms.engines.integer import Range, bounded, widened
from dms.engines.storage import declare_outputs, model_hash
from dms.engines.table import RangesTable


@dataclass(frozen=True)
class Form:
    """One INT8 form: type of activations, operators it quantises, options of ONNX Runtime's quantiser.

    Of a `whole` form nothing stays in float, whatever was found best for the others.
    """

    activations: QuantType
    operators: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


_TRT_OPERATORS = (*WEIGHTED, "Add")
FORMS = {
    "cpu.int8": Form(QuantType.QUInt8, QUANTISED),
    "trt.int8": Form(
        QuantType.QInt8,
        _TRT_OPERATORS,
        {
            "ActivationSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": list(_TRT_OPERATORS),
            "QDQOpTypePerChannelSupportToAxis": {"Conv": 0, "ConvTranspose": 1},
            "DedicatedQDQPair": True,
            "ForceQuantizeNoInputCheck": True,
        },
    ),
    "qnn.int8": Form(
        QuantType.QUInt8,
        (*QUANTISED, "Mul", "Sub", "Split", "Transpose", "Sigmoid", "Softplus", "Softmax"),
        {"ForceQuantizeNoInputCheck": True, "UseQDQContribOps": True},  # ONNX has 16 bits from opset 21 on
        whole=True,
    ),
}


def quantize(
    model: ModelProto, net: str, ranges: RangesTable, precision: str, float_nodes: Collection[str]
) -> ModelProto:
    """The INT8 form `precision` (a key of `FORMS`) of an FP32 model; `float_nodes` stay in floating point.

    Raises:
        EngineMismatch: the ranges are another model's.
    """
    ranges.check_model(net, model_hash(model), "the ranges given")
    form = FORMS[precision]
    prepared = shape_inference.infer_shapes(model)
    add_infer_metadata(prepared)
    tensors, left, options = ranges.tensors, {*float_nodes, *tail(model)}, dict(form.options)
    if form.whole:
        tensors = bounded(prepared, ranges.tensors)
        left = {node.name for node in prepared.graph.node if not tensors.keys() & set(node.output)}
        options["TensorQuantOverrides"] = widened(prepared)
    quantizer = QDQQuantizer(
        prepared,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=form.activations,
        tensors_range=_as_ort(tensors),
        nodes_to_quantize=[],
        nodes_to_exclude=sorted(left),
        op_types_to_quantize=list(form.operators),
        extra_options=options,
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    small: ModelProto = quantizer.model.model
    del small.metadata_props[:]
    small.metadata_props.extend(model.metadata_props)
    declare_outputs(small, net)
    return small


def float_by_default(model: ModelProto) -> tuple[str, ...]:
    """The nodes kept in floating point before a sensitivity sweep has measured: the heads."""
    parts = groups(model)
    return tuple(name for head in heads(model) for name in parts[head])


def _as_ort(tensors: Mapping[str, Range]) -> TensorsData:
    rows = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in tensors.items()
    }
    return TensorsData(CalibrationMethod.MinMax, rows)
