"""The benchmark itself, small, on the shipped engines and ONNX Runtime."""

import hashlib
import shutil

import numpy as np
import pytest

from dms.backends import open_backend
from dms.backends.cuda.chain import FrameChain
from dms.control.sensors import Sensors
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import EngineFile, load_manifest
from dms.engines.opening import Opened
from dms.errors import EngineError, InputError
from dms.resources import engines_folder
from dms.tools import bench
from dms.tools.bench import Asked, Bench
from dms.tools.bench import row as bench_row
from dms.tools.bench.frame import STAGES, states_before
from dms.tools.bench.records import Device, Report
from dms.tools.bench.watch import DeviceWatch
from tests.unit.backends.cuda import twin as twins
from tests.unit.backends.cuda.engines import array_at
from tests.unit.backends.cuda.host_cuda import HostCuda
from tests.unit.control import trees
from tests.unit.tools import bench_reports as made

SMALL, LARGE = (640, 360), (960, 720)


@pytest.fixture(scope="module")
def states():
    return states_before([SMALL, LARGE], engines_folder())


def asked(tmp_path, **changes):
    given = {
        "runtimes": ["ort"],
        "precisions": ["int8", "fp32"],
        "nets": ["fatigue"],
        "sizes": [SMALL],
        "engines": engines_folder(),
        "cache": tmp_path / "cache",
        "unpaced_s": 0.1,
        "paced_s": 0.5,
    }
    return Asked(**(given | changes))


def test_every_net_gets_the_frame_as_it_comes_to_its_stage(states):
    small = states[SMALL]
    assert list(small) == list(STAGES) == list(CONTRACTS)
    assert small["face"].seen.face is None
    assert small["eyes"].seen.face is not None
    assert small["fatigue"].seen.eyes is not None
    assert all(state.frame.image.shape == (360, 640) for state in small.values())


def test_a_frame_of_another_shape_is_letterboxed_not_stretched(states):
    image = states[LARGE]["face"].frame.image
    assert image.shape == (720, 960)
    assert not image[:90].any()
    assert not image[-90:].any()
    assert image[90:-90].any(axis=1).all()


def test_a_frame_too_small_to_see_a_face_in_says_so():
    with pytest.raises(InputError, match="--image-size"):
        states_before([(16, 16)], engines_folder())


def test_a_run_measures_loads_precisions_and_says_what_cannot_be_measured(tmp_path):
    done = []
    small = Bench(asked(tmp_path, precisions=["int8", "fp32", "lite.int8"]), Sensors(tmp_path))
    report = small.run(done.append)
    assert len(done) == small.steps == 4
    int8, fp32, absent = report.rows
    assert (int8.precision, fp32.precision, absent.precision) == ("cpu.int8", "fp32", "lite.int8")
    assert absent.why == "there is no such file for it of fatigue"
    assert absent.figures is None
    for row in (int8, fp32):
        figures = row.figures
        assert figures.load_s["fatigue"] > 0
        assert figures.unpaced.frames >= bench_row.LEAST_FRAMES
        assert 10 <= figures.paced.frames <= 15
        stages = figures.paced.stages
        parts = stages.pre.p50 + stages.infer.p50 + stages.post.p50
        assert 0 < stages.infer.p50 < stages.total.p50
        assert parts == pytest.approx(stages.total.p50, rel=0.5)
        memory = figures.memory
        assert memory.model_mb > 0
        assert memory.peak_mb >= memory.base_mb + memory.model_mb
        assert row.device == Device()
    assert int8.speed_up.low <= int8.speed_up.value <= int8.speed_up.high
    assert fp32.speed_up is None
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_loss_and_size_are_those_of_the_manifest(tmp_path):
    note = load_manifest(engines_folder() / "fatigue")
    (row,) = Bench(asked(tmp_path, precisions=["int8"]), Sensors(tmp_path)).run(str).rows
    proof = note.proofs["cpu.int8"].get("ort")
    assert row.loss_points == {"fatigue": proof.loss_points if proof else None}
    assert row.file_mb == {"fatigue": pytest.approx(note.files["cpu.int8"].bytes / 1e6, abs=1e-3)}


def test_a_device_that_tells_its_power_gets_millijoules_a_frame(tmp_path):
    device = Sensors(trees.orin_nano_jetpack_6(tmp_path))
    report = Bench(asked(tmp_path, precisions=["fp32"]), device).run(str)
    (row,) = report.rows
    watts = 5.040 * 1.484
    assert row.device.board_w == pytest.approx(watts, abs=1e-3)
    assert row.device.frame_mj == pytest.approx(1e3 * watts / row.figures.paced.fps, rel=1e-2)
    device = row.device
    assert (device.cpu_mhz, device.gpu_mhz, device.gpu_load, device.hottest_c) == (1728, 1020, 0.437, 51)
    where = report.environment
    assert (where.l4t, where.power_mode) == ("36.4.3", "MAXN_SUPER")
    assert where.board.startswith("NVIDIA Jetson Orin Nano")
    assert where.temperatures_before_c["cv0-thermal"] is None
    assert where.throttled_by == ("gpu-throttle-alert", "cpufreq-cpu0")


def test_no_precision_given_means_all_that_the_runtime_reads(tmp_path):
    note = load_manifest(engines_folder() / "fatigue")
    every = Bench(asked(tmp_path, precisions=[]), Sensors(tmp_path))
    assert every.steps == len(note.readable("ort")) + 1


def test_a_runtime_that_no_file_is_for_has_a_row_that_says_so(tmp_path):
    engines = tmp_path / "engines"
    engines.mkdir()
    for net in CONTRACTS:
        note = load_manifest(engines_folder() / net)
        onnx = {name: file for name, file in note.files.items() if not name.startswith("lite.")}
        (engines / net).mkdir()
        (engines / net / "manifest.json").write_bytes(note.model_copy(update={"files": onnx}).content())
        (engines / net / "model.onnx").write_bytes(note.verified_path("fp32").read_bytes())
    report = Bench(
        asked(tmp_path, runtimes=["litert"], precisions=[], engines=engines), Sensors(tmp_path)
    ).run(str)
    assert [(row.precision, row.figures) for row in report.rows] == [("lite.fp32", None)]
    assert report.rows[0].why == "there is no such file for it of fatigue"


def test_a_reason_names_the_file_without_the_place_it_lies_in(tmp_path):
    (row,) = (
        Bench(asked(tmp_path, precisions=["bad"], engines=broken(tmp_path)), Sensors(tmp_path)).run(str).rows
    )
    assert row.why.startswith("fatigue/bad.onnx: ONNX Runtime cannot load it")


def broken(tmp_path):
    """The shipped engines, one of them with a file that no runtime can read."""
    folder = tmp_path / "engines"
    shutil.copytree(engines_folder(), folder)
    content = b"not an engine"
    (folder / "fatigue" / "bad.onnx").write_bytes(content)
    note = load_manifest(folder / "fatigue")
    bad = EngineFile(path="bad.onnx", sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    changed = note.model_copy(update={"files": {**note.files, "bad": bad}})
    (folder / "fatigue" / "manifest.json").write_bytes(changed.content())
    return folder


class ManualTime:
    def __init__(self):
        self.now_s = 100.0
        self.slept_s = []

    def clock(self):
        return self.now_s

    def sleep(self, seconds):
        self.slept_s.append(seconds)
        self.now_s += seconds


def paced(seconds, work_s):
    """When each frame begins, and how long it all takes."""
    time = ManualTime()
    begun_s = []
    for _ in bench_row._paced(seconds, time.clock, time.sleep):
        begun_s.append(time.now_s - 100.0)
        time.now_s += work_s
    return begun_s, time.now_s - 100.0


def test_frames_come_at_the_rate_of_a_camera_to_the_end_of_the_last_period():
    begun_s, lasted_s = paced(0.5, work_s=0.004)
    assert begun_s == pytest.approx(np.arange(15) / 30)
    assert lasted_s == pytest.approx(0.5)


def test_frames_that_pass_while_one_is_judged_are_lost():
    begun_s, lasted_s = paced(0.5, work_s=0.050)
    assert begun_s == pytest.approx(np.arange(8) / 15)
    assert lasted_s == pytest.approx(16 / 30)


def test_a_run_that_fails_is_no_measurement(tmp_path, states):
    class Broken:
        def __init__(self):
            self.inputs = self.outputs = {}

        def infer(self, feeds):
            raise EngineError("the device is gone")

        def close(self):
            pass

    for net in CONTRACTS:
        engines = {net: Opened(Broken(), "ort", "fp32", "1", "0")}
        lanes = bench_row._lanes(engines, states[SMALL], tmp_path)
        with lanes as opened, pytest.raises(EngineError, match="the device is gone"):
            opened[net].run()


class OnHostCuda:
    """A backend whose engine computes in the memory of the host's own CUDA."""

    def __init__(self, net, cuda):
        self._inner = open_backend("ort", engines_folder() / net / "model.onnx")
        self.inputs, self.outputs = self._inner.inputs, self._inner.outputs
        self.device = OrtEngine(self._inner, cuda)
        self.infer, self.close = self._inner.infer, self._inner.close


class OrtEngine:
    """A `DeviceEngine` that computes with ONNX Runtime, and counts its runs."""

    def __init__(self, backend, cuda):
        self._backend, self._cuda = backend, cuda
        self.inputs, self.outputs = backend.inputs, backend.outputs
        self._bound = {}
        self.runs = 0

    def bind(self, name, address):
        self._bound[name] = address

    def enqueue(self, stream, batch=1):
        bound = dict(self._bound)
        self._cuda.put(stream, lambda: self._compute(bound, batch))

    def _compute(self, bound, batch):
        self.runs += 1
        image = array_at(bound["image"], (batch, *self.inputs["image"].shape[1:]), np.uint8)
        for name, found in self._backend.infer({"image": image}).items():
            array_at(bound[name], found.shape, found.dtype)[:] = found


@pytest.fixture
def cuda(monkeypatch, tmp_path):
    if not twins.has_compiler():
        pytest.skip("g++ is not installed")
    return HostCuda(twins.built(tmp_path)).install(monkeypatch)


def test_engines_of_a_gpu_are_measured_the_way_a_run_takes_there(tmp_path, states, cuda, monkeypatch):
    backends = {net: OnHostCuda(net, cuda) for net in CONTRACTS}
    monkeypatch.setattr(bench_row, "open_backend", lambda runtime, path, options: backends[path.parent.name])
    whole = bench_row.Job("trt", "fp32", engines_folder(), states[SMALL], tmp_path, 0.1, 0.1)
    launched, paced_from, numbers, look = [], [], [], FrameChain.look

    def numbered(chain, net, frame_id, *rest):
        numbers.append((net, frame_id))
        return look(chain, net, frame_id, *rest)

    monkeypatch.setattr(FrameChain, "look", numbered)

    def told(word):
        launched.append(cuda.launched_graphs)
        paced_from.append({net: backend.device.runs for net, backend in backends.items()})

    figures = bench_row.measure(whole, told)
    for run in (figures.paced, figures.unpaced):
        assert run.stages.pre is None
        assert run.stages.infer.p50 > 1
        assert run.stages.total.p50 > run.stages.infer.p50
    # Two launches a frame: the face, then the eyes with those that follow; each net runs once.
    assert cuda.launched_graphs - launched[0] == 2 * figures.paced.frames
    for net, backend in backends.items():
        assert backend.device.runs - paced_from[0][net] == figures.paced.frames, net
    assert len(set(numbers)) == len(numbers)  # no frame is taken for the one before it
    each = figures.paced.by_net
    assert each["eyes"].infer.p50 > 10 * each["distraction"].infer.p50
    assert cuda.held == []


def job(tmp_path, states):
    return bench_row.Job(
        "ort", "fp32", engines_folder(), {"fatigue": states[SMALL]["fatigue"]}, tmp_path, 0.05, 0.1
    )


def test_an_engine_that_is_built_while_it_is_opened_was_not_loaded(tmp_path, states, monkeypatch):
    assert bench_row.measure(job(tmp_path, states), str) is not None

    def building(runtime, path, options):
        options.told("building a plan")
        return open_backend(runtime, path, options)

    monkeypatch.setattr(bench_row, "open_backend", building)
    assert bench_row.measure(job(tmp_path, states), str) is None


def test_what_was_built_is_measured_once_more_and_what_is_built_every_time_is_refused(tmp_path, monkeypatch):
    figures = made.row().figures
    answers = iter([None, figures, None, None])
    monkeypatch.setattr(bench, "apart", lambda *args, **kwargs: next(answers))
    first, second = (
        Bench(asked(tmp_path, precisions=["fp32"]), Sensors(tmp_path)).run(str).rows[0] for _ in range(2)
    )
    assert first.figures == figures
    assert "builds its engines anew at every start" in second.why


def test_a_row_tells_the_caller_when_the_paced_frames_begin(tmp_path, states):
    words = []
    bench_row.measure(job(tmp_path, states), words.append)
    assert words == [bench_row.PACED]


def test_a_device_is_read_from_the_first_paced_frame_on(tmp_path):
    watch = DeviceWatch(Sensors(trees.orin_nano_jetpack_6(tmp_path)))
    watch.look()
    assert watch.device(30.0) == Device()
    watch.told(bench_row.PACED)
    watch.look()
    assert watch.device(30.0).gpu_load == 0.437


def test_energy_of_a_pc_is_that_of_its_processors_a_frame_and_none_of_the_board(tmp_path):
    sensors, times_s = Sensors(trees.pc(tmp_path)), iter([5.0, 6.0, 9.0])
    assert sensors.processor_j() == 0.0, "what was used before the frames is theirs no more"
    watch = DeviceWatch(sensors, lambda: next(times_s))
    watch.told(bench_row.PACED)
    assert watch.device(25.0).processor_mj is None
    for used_uj in (9_000_000, 9_500_000, 250_000):  # full at 10 J
        (tmp_path / trees.RAPL / "energy_uj").write_text(f"{used_uj}\n")
        watch.look()
    device = watch.device(25.0)
    assert device.processor_mj == 12.5  # 1.25 J in 4 s, 25 frames a second
    assert (device.board_w, device.frame_mj) == (None, None)
