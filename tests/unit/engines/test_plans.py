"""Plans kept on a device: used again only where nothing has changed, and never half-written."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from dms.engines.lock import locked
from dms.engines.plans import Built, PlanKey, Plans
from dms.errors import EngineUnavailable, InputError

NAME = "eyes.model.trt.int8.b1"
KEY = PlanKey(
    onnx_sha256="aa",
    flavour="tensorrt",
    version="10.3.0",
    cuda="12.6",
    driver="12.6",
    gpu="Orin (nvgpu)",
    compute_capability=87,
    multiprocessors=8,
    l4t="36.4.3",
    power_mode="15W",
    options={"max_batch": 1},
)
CHANGES = {
    "onnx_sha256": "bb",
    "flavour": "tensorrt_rtx",
    "version": "10.3.1",
    "cuda": "12.8",
    "driver": "12.8",
    "gpu": "Thor",
    "compute_capability": 110,
    "multiprocessors": 16,
    "l4t": None,
    "power_mode": "MAXN",
    "options": {"max_batch": 2},
}


class Builder:
    """Builds plans that differ, and counts them."""

    def __init__(self, *, timing=b""):
        self.count, self.given, self._timing = 0, [], timing

    def __call__(self, timing):
        self.count += 1
        self.given.append(timing)
        return Built(b"plan %d" % self.count, timing + self._timing)


def load(cache, build, key=KEY, *, name=NAME, read=bytes, said=None, wait_s=5.0):
    return Plans(cache, (said if said is not None else []).append, wait_s).load(name, key, read, build)


def plan_of(cache) -> Path:
    return cache / "plans" / f"{NAME}.plan"


def test_a_plan_is_built_once_and_then_used_again(tmp_path):
    build, said = Builder(), []
    assert [load(tmp_path, build, said=said) for _ in range(3)] == [b"plan 1"] * 3
    assert (build.count, plan_of(tmp_path).read_bytes()) == (1, b"plan 1")
    assert said[0] == f"{NAME}: no plan is kept; it is built now"
    assert not list(tmp_path.rglob("*.partial"))


def test_every_part_of_the_key_is_tried_here():
    assert set(CHANGES) == set(PlanKey.model_fields)


@pytest.mark.parametrize("part", CHANGES)
def test_whatever_changes_the_plan_is_built_anew_and_why_is_told(tmp_path, part):
    build, said = Builder(), []
    load(tmp_path, build)
    changed = KEY.model_copy(update={part: CHANGES[part]})
    assert load(tmp_path, build, changed, said=said) == b"plan 2"
    assert f"({part} {getattr(KEY, part)} is now {CHANGES[part]})" in said[0]
    assert load(tmp_path, build, changed) == b"plan 2"


def test_a_power_mode_that_cannot_be_read_keeps_the_plan_and_is_told(tmp_path):
    build, said, unread = Builder(), [], KEY.model_copy(update={"power_mode": None})
    load(tmp_path, build)
    assert load(tmp_path, build, unread, said=said) == b"plan 1"
    assert said == [
        f"{NAME}: the power mode cannot be read, so the plan built for 15W is used; `nvpmodel -q` must "
        "answer the user that runs this"
    ]
    assert load(tmp_path, build, KEY.model_copy(update={"power_mode": "MAXN"})) == b"plan 2"


def test_a_plan_built_in_no_known_mode_is_built_anew_once_the_mode_is_known(tmp_path):
    build, unread = Builder(), KEY.model_copy(update={"power_mode": None})
    assert [load(tmp_path, build, key) for key in (unread, unread, KEY, unread)] == [
        b"plan 1", b"plan 1", b"plan 2", b"plan 2",
    ]  # fmt: skip


def test_what_is_no_jetson_has_no_mode_that_could_not_be_read():
    pc = KEY.model_copy(update={"l4t": None, "power_mode": None})
    assert pc.differences(KEY) == "l4t 36.4.3 is now None, power_mode 15W is now None"


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda plan: plan.write_bytes(plan.read_bytes()[:3]), "truncated"),
        (lambda plan: plan.write_bytes(b"plan 9"), "was changed"),
        (lambda plan: plan.unlink(), "cannot be read"),
        (lambda plan: plan.with_suffix(".json").unlink(), "no plan is kept"),
        (lambda plan: plan.with_suffix(".json").write_text('{"key"'), "no plan is kept"),
    ],
    ids=["truncated", "changed", "removed", "note removed", "note damaged"],
)
def test_a_plan_that_is_not_what_its_note_vouches_for_is_built_anew(tmp_path, harm, why):
    build, said = Builder(), []
    load(tmp_path, build)
    harm(plan_of(tmp_path))
    assert load(tmp_path, build, said=said) == b"plan 2"
    assert why in said[0]
    assert load(tmp_path, build) == b"plan 2"


def test_a_plan_that_the_runtime_cannot_load_is_built_anew(tmp_path):
    build, said = Builder(), []
    load(tmp_path, build)
    assert (
        load(tmp_path, build, read=lambda plan: plan if plan != b"plan 1" else None, said=said) == b"plan 2"
    )
    assert "cannot be loaded" in said[0]


def test_one_that_no_build_can_mend_is_built_once(tmp_path):
    build = Builder()
    assert load(tmp_path, build, read=lambda plan: None) is None
    assert build.count == 1


def test_a_build_that_fails_keeps_nothing_and_holds_nobody_up(tmp_path):
    def fails(timing):
        raise EngineUnavailable("refused")

    with pytest.raises(EngineUnavailable):
        load(tmp_path, fails)
    assert [p.name for p in (tmp_path / "plans").iterdir()] == ["build.lock"]
    assert load(tmp_path, Builder(), wait_s=0) == b"plan 1"


def test_timings_serve_later_builds_of_the_same_device_and_version_only(tmp_path):
    build = Builder(timing=b"t")
    for name in ("a", "b"):
        load(tmp_path, build, name=name)
    load(tmp_path, build, KEY.model_copy(update={"version": "10.16.2"}), name="a")
    assert build.given == [b"", b"t", b""]
    assert {p.name for p in (tmp_path / "plans").glob("*.timing")} == {
        "tensorrt-10.3.0-Orin-nvgpu-sm87.timing",
        "tensorrt-10.16.2-Orin-nvgpu-sm87.timing",
    }


def test_how_long_it_will_take_is_estimated_from_builds_on_this_gpu(tmp_path):
    said = []
    load(tmp_path, Builder(), name="a", said=said)
    load(tmp_path, Builder(), name="b", said=said)
    load(tmp_path, Builder(), KEY.model_copy(update={"driver": "13"}), name="a", said=said)
    load(tmp_path, Builder(), KEY.model_copy(update={"gpu": "Thor"}), name="c", said=said)
    assert [line.partition(", ")[2] for line in said if "building for" in line] == [
        "no earlier build here tells how long it takes",
        "about 0 s by 1 earlier build here",
        "which took 0 s the last time",
        "no earlier build here tells how long it takes",
    ]


def test_without_a_folder_it_is_built_every_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build = Builder()
    assert [load(None, build), load(None, build)] == [b"plan 1", b"plan 2"]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told_and_the_plan_not_kept(tmp_path):
    (tmp_path / "plans").write_text("in the way")
    said = []
    assert load(tmp_path, Builder(), said=said) == b"plan 1"
    assert "cannot write to" in said[1]
    assert "the plan will not be kept" in said[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_still_gives_what_it_holds(tmp_path):
    load(tmp_path, Builder())
    (tmp_path / "plans").chmod(0o555)
    build, said = Builder(), []
    assert load(tmp_path, build, said=said) == b"plan 1"
    assert (build.count, said) == (0, [])


def test_a_full_disk_is_told_and_leaves_the_older_plan_whole(tmp_path, monkeypatch):
    load(tmp_path, Builder())
    before = {p.name: p.read_bytes() for p in (tmp_path / "plans").iterdir()}

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    build, said = Builder(), []
    assert load(tmp_path, build, KEY.model_copy(update={"driver": "13"}), said=said) == b"plan 1"
    assert "No space left on device" in said[-1]
    assert {p.name: p.read_bytes() for p in (tmp_path / "plans").iterdir()} == before


def test_what_was_measured_joins_the_note_and_goes_with_the_plan(tmp_path):
    plans = Plans(tmp_path, [].append)
    with pytest.raises(InputError, match="build it first"):
        plans.record(NAME, KEY, 1.0, 2.0, 0.1)
    plans.load(NAME, KEY, bytes, Builder())
    plans.record(NAME, KEY, 1.0, 2.0, 0.1)
    note = plans.note(NAME)
    assert (note.p50_ms, note.p95_ms, note.loss_points) == (1.0, 2.0, 0.1)
    assert plans.load(NAME, KEY, bytes, Builder()) == b"plan 1"
    with pytest.raises(InputError):
        plans.record(NAME, KEY.model_copy(update={"driver": "13"}), 1.0, 2.0, 0.1)
    plans.load(NAME, KEY.model_copy(update={"driver": "13"}), bytes, Builder())
    assert plans.note(NAME).p50_ms is None


def test_a_note_is_written_under_the_lock_of_those_who_build(tmp_path):
    """Else a plan that another process builds meanwhile would get the note of the older one."""
    load(tmp_path, Builder())
    said = []
    plans = Plans(tmp_path, said.append, wait_s=0.1)
    held = locked(tmp_path / "plans" / "build.lock", 0, lambda holder: None)
    with held, pytest.raises(InputError, match="in a folder that can be written to"):
        plans.record(NAME, KEY, 1.0, 2.0, 0.1)
    assert "waiting for process" in said[0]
    assert plans.note(NAME).p50_ms is None
    plans.record(NAME, KEY, 1.0, 2.0, 0.1)
    assert plans.note(NAME).p50_ms == 1.0


def _build_slowly(cache, start, told, results):
    """In a process of its own: build as soon as the other one may too."""

    def build(timing):
        time.sleep(0.3)
        return Built(b"plan of %d" % os.getpid())

    start.wait()
    lines = []
    plan = Plans(cache, lines.append, 20.0).load(NAME, KEY, bytes, build)
    told.put(lines)
    results.put((os.getpid(), plan))


def test_of_two_processes_that_want_a_plan_one_builds_and_the_other_waits_for_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, told, results = context.Barrier(2), context.Queue(), context.Queue()
    both = [context.Process(target=_build_slowly, args=(tmp_path, start, told, results)) for _ in range(2)]
    for process in both:
        process.start()
    plans = dict(results.get(timeout=60) for _ in both)
    lines = [line for _ in both for line in told.get(timeout=60)]
    for process in both:
        process.join(60)
    assert len(set(plans.values())) == 1
    builder = int(plan_of(tmp_path).read_bytes().split()[-1])
    assert plans[builder] == b"plan of %d" % builder
    assert sum("built in" in line for line in lines) == 1
    waiting = [line for line in lines if "waiting" in line]
    assert all(f"waiting for process {builder}" in line for line in waiting)


def test_who_holds_the_folder_too_long_is_not_waited_for(tmp_path):
    (tmp_path / "plans").mkdir()
    with locked(tmp_path / "plans" / "build.lock", 0, lambda holder: None):
        said = []
        assert load(tmp_path, Builder(), said=said, wait_s=0.1) == b"plan 1"
    assert f"waiting for process {os.getpid()}" in said[1]
    assert "has held it for 0 s); the plan will not be kept" in said[2]
    assert not plan_of(tmp_path).exists()


def test_the_lock_ends_with_its_holder(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(RuntimeError), locked(path, 0, lambda holder: None):
        raise RuntimeError
    heard = []
    with locked(path, 0, heard.append):
        assert path.read_text() == str(os.getpid())
    assert heard == []
