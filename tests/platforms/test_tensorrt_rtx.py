"""TensorRT's own parser and builder take every file we ship: TensorRT-RTX builds plans without a GPU."""

import inspect
import multiprocessing
import signal
import sys

import pytest

from dms.backends import Options
from dms.backends.trt import load_or_build
from dms.backends.trt_api import FULL, RTX, load_tensorrt, new_logger
from dms.backends.trt_build import BuildOptions, build_plan
from dms.engines.ahead import TARGETS, ahead_table, build_ahead
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import ARTEFACTS, load_manifest
from dms.engines.plans import PlanKey, Plans
from dms.errors import EngineMismatch, EngineUnavailable
from dms.resources import engines_folder
from tests.platforms.trt_bindings import CALLS, NAMES, described
from tests.unit.backends import trt_standin

trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install tensorrt_rtx")

FILES = tuple(ARTEFACTS["trt"].values())


def silent(step):
    """Hears nothing."""


@pytest.fixture(scope="module")
def api():
    return load_tensorrt((RTX,))


def file(net, artefact):
    return load_manifest(engines_folder() / net).verified_path(artefact)


@pytest.mark.parametrize("net", CONTRACTS)
def test_every_file_is_built_for_every_target_with_a_batch_of_up_to_four(net):
    builds = list(build_ahead(engines_folder(), [net], max_batch=4))
    assert [(b.artefact, b.target) for b in builds] == [(f, t) for f in FILES for t in TARGETS]
    assert [b.refused for b in builds] == [""] * len(FILES) * len(TARGETS)
    stored_kb = {f: file(net, f).stat().st_size >> 10 for f in FILES}
    # A plan holds at least the weights: those of FP32 are stored as halves, so twice the file.
    assert all(b.plan_kb > 0.9 * stored_kb[b.artefact] for b in builds), ahead_table(builds)
    plan_kb = {b.artefact: b.plan_kb for b in builds}
    assert plan_kb["fp32"] > 1.5 * plan_kb["fp16"]


@pytest.mark.parametrize("net", CONTRACTS)
def test_the_int8_form_of_processors_is_refused_with_the_node_named(api, net):
    with pytest.raises(EngineUnavailable, match=r"node '[\w./]+bias\w*' \(DequantizeLinear\):.*type Int32"):
        build_plan(api, file(net, "cpu.int8"), BuildOptions(), silent, target="SM86")


def test_what_is_no_onnx_is_a_bad_file(api, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not an engine")
    with pytest.raises(EngineMismatch, match=r"model\.onnx.*restore"):
        build_plan(api, path, BuildOptions(), silent, target="SM86")


def test_half_an_onnx_is_a_bad_file(api, tmp_path):
    path = tmp_path / "model.onnx"
    whole = file("fatigue", "fp32").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineMismatch, match=r"model\.onnx.*restore"):
        build_plan(api, path, BuildOptions(), silent, target="SM86")


def test_a_target_that_the_builder_lacks_is_listed_as_refused():
    [first, *_] = build_ahead(engines_folder(), ["fatigue"], ["SM87"])
    assert "cannot build for SM87, only for SM75, SM80, SM86" in first.refused
    assert "0 built, 1 refused" in ahead_table([first])


def test_the_same_file_gives_a_plan_of_the_batch_it_was_asked_for(api):
    path = file("eyes", "fp16")
    one, four = (build_plan(api, path, BuildOptions(max_batch=n), silent, target="SM86") for n in (1, 4))
    assert one.strongly_typed
    assert four.strongly_typed
    assert one.plan != four.plan


def test_progress_comes_from_the_builder_itself(api, monkeypatch):
    said = []
    monkeypatch.setattr("dms.backends.trt_build.TELL_EVERY_S", 0.0)
    build_plan(api, file("fatigue", "fp32"), BuildOptions(), said.append, target="SM86")
    assert len(said) > 20
    assert any(line.startswith("model.onnx: Building engine, ") for line in said)


def test_a_signal_during_a_build_ends_it_and_is_not_lost(api):
    path, caught = file("eyes", "fp32"), []

    def build_for_ever():  # one build may be over before the signal comes
        while True:
            build_plan(api, path, BuildOptions(), silent, target="SM86")

    before = signal.signal(signal.SIGALRM, lambda number, frame: sys.exit(143))
    try:
        for delay_s in (0.02, 0.05, 0.1, 0.15):
            signal.setitimer(signal.ITIMER_REAL, delay_s)
            with pytest.raises(SystemExit) as stopped:
                build_for_ever()
            caught.append(stopped.value.code)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught == [143] * 4


def test_the_builders_warnings_reach_our_logger(api):
    logger = new_logger(api)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    assert not trt.OnnxParser(network, logger).parse(file("eyes", "cpu.int8").read_bytes())
    assert any("zero_point with type int32" in line for line in logger.warnings)
    assert "DequantizeLinear" in logger.last()


def key_of(api, path, **changes):
    values = {
        "onnx_sha256": load_manifest(path.parent).files["fp16"].sha256,
        "flavour": api.flavour,
        "version": api.version,
        "cuda": "13.0",
        "driver": "13.0",
        "gpu": "none, built for SM86",
        "compute_capability": 86,
        "multiprocessors": 0,
        "l4t": None,
        "power_mode": None,
        "options": BuildOptions().as_key(),
    }
    return PlanKey(**{**values, **changes})


def kept(api, cache, said, **changes):
    """A real plan of the fatigue net from the cache, or built into it."""
    path = file("fatigue", "fp16")

    def build(timing):
        return build_plan(api, path, BuildOptions(), said.append, timing, target="SM86")

    return Plans(cache, said.append, wait_s=60).load("fatigue", key_of(api, path, **changes), bytes, build)


def test_a_real_plan_is_kept_used_again_and_built_anew_when_it_must(api, tmp_path):
    said = []
    first = kept(api, tmp_path, said)
    assert len(first) > 1 << 20
    said.clear()
    assert kept(api, tmp_path, said) == first
    assert said == []
    kept(api, tmp_path, said, driver="13.1")
    assert "driver 13.0 is now 13.1" in said[0]
    plan = tmp_path / "plans" / "fatigue.plan"
    plan.write_bytes(plan.read_bytes()[:1000])
    said.clear()
    assert len(kept(api, tmp_path, said, driver="13.1")) > 1 << 20
    assert "truncated" in said[0]


def _keep(cache, start, results):
    said = []
    own = load_tensorrt((RTX,))
    start.wait()
    plan = kept(own, cache, said)
    results.put((plan, any("built in" in line for line in said)))


def test_of_two_processes_one_builds_and_both_have_the_same_plan(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(2), context.Queue()
    both = [context.Process(target=_keep, args=(tmp_path, start, results)) for _ in range(2)]
    for process in both:
        process.start()
    found = [results.get(timeout=120) for _ in both]
    for process in both:
        process.join(60)
    assert found[0][0] == found[1][0] == (tmp_path / "plans" / "fatigue.plan").read_bytes()
    assert sorted(built for _, built in found) == [False, True]


def test_without_a_gpu_a_good_plan_is_a_reason_for_another_runtime_not_a_crash(api, tmp_path):
    """Where there is a GPU the plan, built for it, may well load: then this says nothing."""
    path = file("fatigue", "fp16")
    logger = new_logger(api)
    if trt.Runtime(logger).deserialize_cuda_engine(build_plan(api, path, BuildOptions(), silent).plan):
        pytest.skip("there is a GPU here that TensorRT-RTX runs on")
    with pytest.raises(EngineUnavailable, match=r"cannot load the plan it has just built.*[Cc]uda"):
        load_or_build(api, path, key_of(api, path), BuildOptions(), Options(cache=tmp_path, told=silent))


@pytest.mark.parametrize("flavour", [FULL, RTX])
def test_the_stand_in_speaks_as_the_installed_library_does(flavour):
    found = described(pytest.importorskip(flavour, reason=f"{flavour} is not installed"))
    for kind in trt_standin.KINDS:
        for name in set(CALLS[kind.__name__]) & set(vars(kind)):
            overloads = found["calls"][f"{kind.__name__}.{name}"]
            own = list(inspect.signature(vars(kind)[name]).parameters)[1:] if overloads is not None else None
            assert own is None or own in overloads, f"{kind.__name__}.{name}"
    for kind, names in NAMES.items():
        assert kind == "BuilderFlag" or found["names"][kind] == list(names)
