"""From one ranges table to the two INT8 forms of a net: one form cannot serve both families of runtimes.

`cpu.int8`: activations U8 with a zero point, weights S8 per channel. ONNX Runtime fuses convolution and ReLU
into one integer kernel only in this form.
`trt.int8`: symmetric S8 throughout, zero point 0, biases in float, Q/DQ on the inputs of layers alone (also
on the skip input of an Add, so that the Add fuses): what TensorRT accepts and OpenVINO runs fastest. Weights
lie as INT8 behind a DequantizeLinear: a quarter of the size of a Q/DQ pair on float weights.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, shape_inference
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import add_infer_metadata

from dms.engines.graph import QUANTISED, WEIGHTED, groups, heads, tail
from dms.engines.storage import declare_outputs, model_hash
from dms.engines.table import RangesTable


@dataclass(frozen=True)
class Form:
    """One INT8 form: type of activations, operators it quantises, options of ONNX Runtime's quantiser."""

    activations: QuantType
    operators: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


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
    quantizer = QDQQuantizer(
        prepared,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=form.activations,
        tensors_range=_as_ort(ranges),
        nodes_to_quantize=[],
        nodes_to_exclude=sorted({*float_nodes, *tail(model)}),
        op_types_to_quantize=list(form.operators),
        extra_options=dict(form.options),
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


def _as_ort(ranges: RangesTable) -> TensorsData:
    rows = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in ranges.tensors.items()
    }
    return TensorsData(CalibrationMethod.MinMax, rows)
