"""TensorRT's adapter on the stand-in: finding, loading, running and refusing."""

import ctypes
import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from dms.backends import Options, TensorSpec, open_backend
from dms.backends.cuda.runtime import DeviceInfo
from dms.backends.trt import TrtEngine, driver_version, load_or_build, plan_name
from dms.backends.trt_api import FULL, TensorRt
from dms.backends.trt_build import BuildOptions
from dms.control.sensors import Sensors
from dms.engines.plans import PlanKey, Plans
from dms.errors import EngineError, EngineMissing, EngineUnavailable
from tests.unit.backends.trt_standin import DataType, NewFlags, Script, stand_in

KEY = PlanKey(
    onnx_sha256="a",
    flavour=FULL,
    version="11.4",
    cuda="13.0",
    driver="580.95.05",
    gpu="Orin",
    compute_capability=87,
    multiprocessors=16,
    l4t="39.2.0",
    power_mode="MAXN",
    options={"max_batch": 4},
)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "eyes" / "model.trt.int8.onnx"
    path.parent.mkdir()
    path.write_bytes(b"onnx")
    return path


def opened(script, model, cache=None, said=None) -> TrtEngine:
    api = TensorRt(stand_in(script, NewFlags), FULL, "11.4")
    options = Options(cache=cache, max_batch=4, told=(said if said is not None else []).append)
    return load_or_build(api, model, KEY, BuildOptions(max_batch=4), options)


def run(engine, rows, *, stream=7):
    image = np.arange(4 * rows, dtype=np.uint8)
    state = np.zeros((rows, 1), np.float32)
    engine.bind("image", image.ctypes.data)
    engine.bind("state", state.ctypes.data)
    engine.enqueue(stream, rows)
    return state[:, 0].tolist()


def test_it_tells_names_shapes_and_types_with_a_free_batch(model):
    engine = opened(Script(), model)
    assert engine.inputs == {"image": TensorSpec("image", (None, 1, 2, 2), "uint8")}
    assert engine.outputs == {"state": TensorSpec("state", (None, 1), "float32")}


def test_it_runs_on_the_stream_it_is_given_and_sets_the_batch_only_when_it_changes(model):
    script = Script()
    engine = opened(script, model)
    script.asked.clear()
    assert [run(engine, 1), run(engine, 1), run(engine, 3)] == [[1.5], [1.5], [1.5, 5.5, 9.5]]
    assert script.asked == ["shape 1", "run on 7", "run on 7", "shape 3", "run on 7"]


def test_a_batch_too_large_is_refused_and_the_engine_goes_on(model):
    engine = opened(Script(), model)
    with pytest.raises(EngineError, match=r"model\.trt\.int8\.onnx does not take a batch of 5"):
        engine.enqueue(7, 5)
    assert run(engine, 1) == [1.5]


def test_a_run_that_is_refused_tells_the_log(model):
    engine = opened(Script(trouble="an illegal memory access", at="run"), model)
    with pytest.raises(EngineError, match="could not be run: an illegal memory access"):
        run(engine, 1)


def test_an_address_that_is_refused_names_the_tensor(model):
    with pytest.raises(EngineError, match="image"):
        opened(Script(), model).bind("image", ctypes.sizeof(ctypes.c_int) + 1)


def test_it_is_closed_twice_and_then_refuses(model):
    engine = opened(Script(), model)
    engine.close()
    engine.close()
    for use in (lambda: engine.bind("image", 8), lambda: engine.enqueue(7)):
        with pytest.raises(EngineError, match="closed"):
            use()


def test_a_plan_is_built_once_and_then_loaded(model, tmp_path):
    script, said = Script(), []
    opened(script, model, tmp_path, said)
    opened(script, model, tmp_path, said)  # there is no second plan in the script
    assert [line for line in said if "built" in line] == [
        "eyes.model.trt.int8.b4: no plan is kept; it is built now",
        "eyes.model.trt.int8.b4: built in 0.0 s, 0.0 MB",
    ]


def test_a_kept_plan_that_cannot_be_loaded_is_built_anew(model, tmp_path):
    script, said = Script(plans=[b"plan", b"new"]), []
    opened(script, model, tmp_path)
    script.loadable = (b"new",)
    assert run(opened(script, model, tmp_path, said), 1) == [1.5]
    assert said[0] == "eyes.model.trt.int8.b4: the kept plan cannot be loaded; it is built now"


def test_a_new_plan_that_cannot_be_loaded_is_for_another_runtime(model):
    with pytest.raises(
        EngineUnavailable, match="cannot load the plan it has just built on Orin: Serialization"
    ):
        opened(Script(loadable=()), model)


def test_too_little_memory_on_the_gpu_is_for_another_runtime(model):
    with pytest.raises(EngineUnavailable, match=r"no memory on the GPU.*out of memory"):
        opened(Script(memory=False), model)


def test_a_type_without_a_name_in_numpy_is_refused(model):
    with pytest.raises(EngineUnavailable, match="state is BF16"):
        opened(Script(dtype=DataType.BF16), model)


def test_plans_of_one_net_do_not_overwrite_each_other(model):
    names = {plan_name(model, 1), plan_name(model, 2), plan_name(model.with_name("model.fp16.onnx"), 1)}
    assert names == {"eyes.model.trt.int8.b1", "eyes.model.trt.int8.b2", "eyes.model.fp16.b1"}


def test_without_a_gpu_another_backend_is_advised(model, monkeypatch):
    def absent(index=0):
        raise EngineUnavailable("there is no NVIDIA driver here")

    monkeypatch.setattr("dms.backends.trt.Device", absent)
    with pytest.raises(EngineUnavailable, match="no NVIDIA driver"):
        open_backend("trt", model)


class HostRunner:
    """Runs an engine in host memory, as `DeviceRunner` does on a GPU."""

    def __init__(self, engine, max_batch):
        self.engine, self.max_batch, self.close = engine, max_batch, engine.close

    def infer(self, feeds):
        state = np.zeros((len(feeds["image"]), 1), np.float32)
        self.engine.bind("image", feeds["image"].ctypes.data)
        self.engine.bind("state", state.ctypes.data)
        self.engine.enqueue(7, len(state))
        return {"state": state}


@pytest.fixture
def orin(monkeypatch):
    """A machine with an Orin and TensorRT 10.3, as far as the adapter can see."""
    info = DeviceInfo("Orin", 87, 16, True, 15656, "12.6", "12.9")
    monkeypatch.setattr("dms.backends.trt.Device", lambda: SimpleNamespace(info=info))
    monkeypatch.setattr("dms.backends.trt.DeviceRunner", HostRunner)
    api = TensorRt(stand_in(Script()), FULL, "10.3.0")
    monkeypatch.setattr("dms.backends.trt.load_tensorrt", lambda: api)


@pytest.mark.usefixtures("orin")
def test_the_backend_moves_named_arrays_and_hands_out_its_engine(model, tmp_path):
    backend = open_backend("trt", model, Options(cache=tmp_path, max_batch=2))
    assert (set(backend.inputs), set(backend.outputs)) == ({"image"}, {"state"})
    image = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    assert backend.infer({"image": image})["state"].tolist() == [[1.5], [5.5]]
    assert isinstance(backend.device, TrtEngine)
    backend.close()
    with pytest.raises(EngineError, match="closed"):
        backend.infer({"image": image})


@pytest.mark.usefixtures("orin")
def test_the_plan_is_kept_for_this_device_file_and_version(model, tmp_path):
    open_backend("trt", model, Options(cache=tmp_path, max_batch=2)).close()
    note = Plans(tmp_path, [].append).note("eyes.model.trt.int8.b2")
    assert note.key == PlanKey(
        onnx_sha256=hashlib.sha256(b"onnx").hexdigest(),
        flavour="tensorrt",
        version="10.3.0",
        cuda="12.6",  # what the driver speaks: a new wheel of the bindings changes no plan
        driver=driver_version(),
        gpu="Orin",
        compute_capability=87,
        multiprocessors=16,
        l4t=Sensors().l4t(),
        power_mode=Sensors().power_mode(),
        options={"max_batch": 2, "workspace_mb": 256, "level": 3},
    )


def test_the_driver_is_told_by_its_kernel_module_or_not_at_all(tmp_path):
    told = tmp_path / "version"
    assert driver_version(told) is None
    told.write_text("580.95.05\n", encoding="utf-8")
    assert driver_version(told) == "580.95.05"


@pytest.mark.usefixtures("orin")
def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EngineMissing, match=r"none\.onnx"):
        open_backend("trt", tmp_path / "none.onnx")
