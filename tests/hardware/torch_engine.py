"""A `DeviceEngine` that is no TensorRT: PyTorch computes an ONNX file, on a GPU's stream or on the host."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import onnx
import torch
import torch.nn.functional as F  # noqa: N812 (what everybody calls it)
from onnx import helper, numpy_helper

from dms.backends import TensorSpec


def _conv(a, x, weight, bias=None):
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, weight, bias, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))


def _gemm(a, x, weight, bias):
    assert (a.get("alpha", 1.0), a.get("beta", 1.0), a.get("transA", 0)) == (1.0, 1.0, 0)
    return F.linear(x, weight if a.get("transB", 0) else weight.T, bias)


def _resize(a, x, _roi, scales):
    assert a["mode"] == b"nearest"
    assert a["nearest_mode"] == b"floor"
    return F.interpolate(x, scale_factor=[float(s) for s in scales[2:]], mode="nearest")


def _reshape(a, x, shape):
    return x.reshape([x.shape[i] if side == 0 else int(side) for i, side in enumerate(shape)])


def _slice(a, x, starts, ends, axes, steps=None):
    for axis, start, end in zip(axes.tolist(), starts.tolist(), ends.tolist(), strict=True):
        x = x.narrow(axis, start, min(end, x.shape[axis]) - start)
    return x


def _cast(a, x):
    return x.to({1: torch.float32, 7: torch.int64, 10: torch.float16}[a["to"]])


OPERATORS = {
    "Add": lambda a, x, y: x + y,
    "Cast": _cast,
    "Concat": lambda a, *xs: torch.cat(xs, dim=a["axis"]),
    "Conv": _conv,
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Gemm": _gemm,
    "Mul": lambda a, x, y: x * y,
    "Relu": lambda a, x: F.relu(x),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda a, x: torch.tensor(x.shape[a.get("start", 0) : a.get("end")]),
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Slice": _slice,
    "Softmax": lambda a, x: torch.softmax(x, a["axis"]),
    "Softplus": lambda a, x: F.softplus(x, threshold=1e9),
    "Split": lambda a, x, sizes: torch.split(x, sizes.tolist(), a["axis"]),
    "Sub": lambda a, x, y: x - y,
    "Transpose": lambda a, x: x.permute(a["perm"]),
}


class OnnxNet:
    """A graph of the operators above. Shapes stay on the host, so that a run never waits for the GPU."""

    def __init__(self, path, device):
        graph = onnx.load(path).graph
        self.inputs = {i.name: _spec(i) for i in graph.input}
        self.outputs = {o.name: _spec(o) for o in graph.output}
        nodes = [_node(n) for n in graph.node]
        on_host = {name for n in nodes if n.operator == "Resize" for name in n.inputs[1:]}
        self._constants = {t.name: _constant(t, on_host, device) for t in graph.initializer}
        # Weights are kept in half precision and cast first: do that once.
        self._nodes = [n for n in nodes if not self._folded(n)]

    def _folded(self, node):
        if not node.inputs or any(name not in self._constants for name in node.inputs if name):
            return False
        _run(node, self._constants)
        return True

    @torch.inference_mode()
    def __call__(self, image):
        values = {**self._constants, "image": image}
        for node in self._nodes:
            _run(node, values)
        return {name: values[name] for name in self.outputs}, values


def _node(n):
    attributes = {a.name: helper.get_attribute_value(a) for a in n.attribute}
    return SimpleNamespace(operator=n.op_type, inputs=list(n.input), outputs=list(n.output), a=attributes)


def _run(node, values):
    arguments = [values[name] if name else None for name in node.inputs]
    found = OPERATORS[node.operator](node.a, *arguments)
    found = found if isinstance(found, tuple) else (found,)
    values.update(zip(node.outputs, found, strict=True))


def _constant(tensor, on_host, device):
    value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
    is_shape = value.dtype == torch.int64 or tensor.name in on_host
    return value if is_shape else value.to(device)


def _spec(value):
    kind = value.type.tensor_type
    shape = tuple(d.dim_value or None for d in kind.shape.dim)
    return TensorSpec(value.name, shape, np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).name)


def on_gpu(stream, work):
    """Have PyTorch do `work` on a CUDA stream given by its handle."""
    with torch.cuda.stream(torch.cuda.ExternalStream(stream)):
        work()


class TorchEngine:
    """See the module. `put` has work done on a stream: `on_gpu`, or a stand-in for CUDA on the host."""

    def __init__(self, path, put: Callable = on_gpu, device="cuda"):
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        self._net = OnnxNet(path, device)
        self._put = put
        self._device = device
        self._bound = {}
        self._views = {}
        self._last = None
        self._kept = []
        self.inputs, self.outputs = self._net.inputs, self._net.outputs

    def bind(self, name, address):
        assert address % 256 == 0, "TensorRT wants its tensors aligned"
        self._bound[name] = address

    def enqueue(self, stream, batch=1):
        views = {
            name: self._view(name, batch, spec) for name, spec in {**self.inputs, **self.outputs}.items()
        }
        self._put(stream, lambda: self._compute(views))

    def _compute(self, views):
        # The values of the last run stay until this one needs their memory: then a recording finds as much
        # as it needs, also where other engines are recorded with it. Inside of one none can be had.
        self._last = None
        results, self._last = self._net(views["image"])
        for name, value in results.items():
            views[name].copy_(value)
        if self._device == "cuda" and torch.cuda.is_current_stream_capturing():
            self._kept.append(self._last)  # a graph goes on using their memory: nobody else may have it
            self._last = None

    def _view(self, name, batch, spec):
        key = name, self._bound[name], batch
        if key not in self._views:
            self._views[key] = tensor_at(
                self._bound[name], (batch, *spec.shape[1:]), spec.dtype, self._device
            )
        return self._views[key]

    def close(self):
        self._views.clear()
        self._last = None
        self._kept.clear()


def tensor_at(address, shape, dtype, device):
    """A tensor over memory that is not PyTorch's."""
    interface = {
        "shape": shape,
        "typestr": np.dtype(dtype).str,
        "data": (address, False),
        "version": 3,
        "strides": None,
    }
    if device == "cuda":
        return torch.as_tensor(SimpleNamespace(__cuda_array_interface__=interface), device=device)
    return torch.from_numpy(np.asarray(SimpleNamespace(__array_interface__=interface)))
