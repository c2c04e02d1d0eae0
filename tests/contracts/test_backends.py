"""Every backend passes the same contract: named arrays in, named arrays out, typed errors, close twice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dms.backends import BACKENDS, Arrays, Backend, open_backend
from dms.backends.checked import CheckedBackend
from dms.backends.scripted import ScriptedBackend
from dms.backends.trt_api import FULL, TensorRt
from dms.cli.engine_data import engine_inputs, open_data, shipped_data
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import load_manifest
from dms.errors import EngineError, EngineMismatch, EngineOutputError, EngineUnavailable
from dms.resources import engines_folder
from tests.unit.backends.cuda.host_cuda import HostCuda
from tests.unit.backends.trt_standin import Script, stand_in

Open = Callable[[str, str], Backend]

OPENERS = [
    "scripted",
    "ort-fp32",
    "ort-int8",
    "openvino-fp32",
    "openvino-int8",
    "qnn-fp16",
    "qnn-int8",
    "litert-fp32",
    "litert-int8",
    "trt-fp32",  # the adapter is real, TensorRT and CUDA stand-ins that compute on the host
]
FILES = OPENERS[1:]


def need(backend: str) -> None:
    runtime = BACKENDS[backend]
    pytest.importorskip(runtime.packages[0], reason=f"the extra {runtime.extra} is not installed")


@pytest.fixture
def open_named(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the engine of a net as one of `OPENERS`."""

    def opened(kind: str, net: str) -> Backend:
        if kind == "scripted":
            return ScriptedBackend(net, lambda _: {})
        backend, _, precision = kind.partition("-")
        if backend == "trt":
            play_tensorrt(net, monkeypatch)
        else:
            need(backend)
        manifest = load_manifest(engines_folder() / net)
        path = manifest.verified_path(manifest.precision_for(precision, backend))
        return CheckedBackend(net, open_backend(backend, path))

    return opened


def play_tensorrt(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = CONTRACTS[net]
    script = Script(image=(1, contract.height, contract.width), outputs=dict(contract.outputs))
    HostCuda().install(monkeypatch)
    api = TensorRt(stand_in(script), FULL, "10.3.0")
    monkeypatch.setattr("dms.backends.trt.load_tensorrt", lambda: api)


@pytest.fixture(params=[(kind, net) for kind in OPENERS for net in CONTRACTS], ids=lambda p: "-".join(p))
def named(request: pytest.FixtureRequest, open_named: Open) -> Iterator[tuple[str, Backend]]:
    kind, net = request.param
    backend = open_named(kind, net)
    yield net, backend
    backend.close()


def image(net: str, batch: int = 1) -> Arrays:
    contract = CONTRACTS[net]
    rng = np.random.default_rng(5)
    return {"image": rng.integers(0, 256, (batch, 1, contract.height, contract.width), dtype=np.uint8)}


def test_takes_and_gives_what_the_contract_names(named: tuple[str, Backend]) -> None:
    net, backend = named
    assert set(backend.inputs) == {"image"}
    assert backend.inputs["image"].dtype == "uint8"
    results = backend.infer(image(net))
    assert {name: r.shape for name, r in results.items()} == {
        name: (1, *shape) for name, shape in CONTRACTS[net].outputs.items()
    }
    assert all(r.dtype == np.float32 for r in results.values())


def test_takes_a_batch_and_treats_its_rows_alike(named: tuple[str, Backend]) -> None:
    net, backend = named
    batch = np.repeat(image(net)["image"], 3, axis=0)
    for name, result in backend.infer({"image": batch}).items():
        assert len(result) == 3, name
        assert result[1] == pytest.approx(result[0], abs=1e-4)


def test_same_input_same_output(named: tuple[str, Backend]) -> None:
    net, backend = named
    first, second = backend.infer(image(net)), backend.infer(image(net))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_is_closed_twice_and_then_refuses(named: tuple[str, Backend]) -> None:
    net, backend = named
    backend.close()
    backend.close()
    with pytest.raises(EngineError, match="closed"):
        backend.infer(image(net))


@pytest.mark.parametrize("kind", FILES)
def test_wrong_input_is_a_typed_error(kind: str, open_named: Open) -> None:
    backend = open_named(kind, "eyes")
    with pytest.raises(EngineError):
        backend.infer({"image": np.zeros((1, 1, 5, 5), np.uint8)})


@pytest.mark.parametrize("name", ["ort", "openvino", "qnn", "litert"])
def test_a_file_that_is_no_engine_is_refused(name: str, tmp_path: Path) -> None:
    need(name)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not an engine")
    with pytest.raises(EngineMismatch, match=r"model\.onnx"):
        open_backend(name, path)


@pytest.mark.parametrize(
    ("name", "package"), [("openvino", "openvino"), ("qnn", "onnxruntime_qnn"), ("litert", "ai_edge_litert")]
)
def test_a_runtime_that_is_not_installed_names_its_extra(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (package, *(m for m in sys.modules if m.startswith(f"{package}."))):
        monkeypatch.setitem(sys.modules, module, None)
    path = load_manifest(engines_folder() / "fatigue").verified_path("fp32")
    with pytest.raises(EngineUnavailable, match=rf"pip install 'dms\[{BACKENDS[name].extra}\]'"):
        open_backend(name, path)


@pytest.fixture(scope="module", params=list(CONTRACTS))
def seen(request: pytest.FixtureRequest) -> tuple[str, Arrays]:
    """A net and what it is shown in a car."""
    source = shipped_data()
    return request.param, {"image": engine_inputs(request.param, open_data(source), source, 4)}


# Measured: 1.5e-6 in FP32, 0.025 in FP16, which is all that QNN has of floating point.
@pytest.mark.parametrize(
    ("kind", "most"), [("openvino-fp32", 1e-5), ("litert-fp32", 1e-5), ("qnn-fp16", 0.05)]
)
def test_runtimes_agree(kind: str, most: float, seen: tuple[str, Arrays], open_named: Open) -> None:
    """With ONNX Runtime: mean difference in parts of the values' own size or spread."""
    net, pictures = seen
    right, found = (open_named(k, net).infer(pictures) for k in ("ort-fp32", kind))
    for name, values in right.items():
        size = max(np.abs(values).mean(), values.std(axis=0).mean())
        assert np.abs(found[name] - values).mean() < most * size, name


@pytest.mark.parametrize("kind", FILES)
def test_a_result_is_not_overwritten_by_the_next_run(kind: str, open_named: Open) -> None:
    backend = open_named(kind, "fatigue")
    first = backend.infer(image("fatigue"))["state"]
    kept = first.copy()
    backend.infer({"image": np.zeros((1, 1, 96, 96), np.uint8)})
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_never_get_out(poison: float) -> None:
    bad = np.full((1, 6), 0.1, np.float32)
    bad[0, 3] = poison
    backend = CheckedBackend("distraction", ScriptedBackend("distraction", lambda _: {"activity": bad}))
    with pytest.raises(EngineOutputError, match="activity"):
        backend.infer(image("distraction"))


def test_a_runtime_that_gives_another_shape_than_it_declares_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("openvino", reason="the extra intel is not installed")
    from dms.backends.openvino import OpenVinoBackend

    wide = {"state": np.zeros((1, 5, 5), np.float32)}
    monkeypatch.setattr(OpenVinoBackend, "_run", lambda self, feeds: wide)
    path = load_manifest(engines_folder() / "fatigue").verified_path("fp32")
    with pytest.raises(EngineMismatch, match=r"state as \(1, 5, 5\), not \(1, 5\)"):
        open_backend("openvino", path)
