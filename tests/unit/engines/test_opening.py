"""An engine as configured: on its runtime, on the next one said aloud, or an error that tells why."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dms.app import open_engines
from dms.backends import BACKENDS, Options
from dms.config import EngineConfig, EnginesConfig
from dms.engines.candidates import Judge, run_gate
from dms.engines.gate import Verdict
from dms.engines.manifest import DataNote, load_manifest, rewrite
from dms.engines.opening import cache_of, open_cheapest, open_engine, options_of
from dms.engines.running import Infer, Task
from dms.errors import EngineMismatch, EngineMissing, EngineUnavailable
from dms.resources import engines_folder

IMAGE = np.zeros((1, 1, 96, 96), np.uint8)
WITHOUT_OPENVINO = """
import logging, sys
sys.modules["openvino"] = None
from dms.config import EnginesConfig
from dms.engines.opening import open_engine
logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s")
config = EnginesConfig.model_validate({"fatigue": {"backend": "openvino"}, **eval(sys.argv[1])})
try:
    print(open_engine("fatigue", config))
except Exception as error:
    print(type(error).__name__, error)
"""


def engines(**fatigue: object) -> EnginesConfig:
    return EnginesConfig.model_validate({"fatigue": fatigue})


def verdict(
    chosen: str | None, cache: Path, runtime: str = "ort", threads: int = 1, int8_score: float = 0.9
) -> Verdict:
    """A true verdict on the shipped fatigue engine, but for the choice; kept in `cache`."""
    scores = iter([0.9, 0.9, int8_score])

    def measure(infer: Infer) -> dict[str, float]:
        infer(IMAGE)
        return {"auc": next(scores)}

    judge = Judge(Task(measure, "auc", 1), DataNote(name="mine", sha256="0" * 64, pictures=1))
    note = load_manifest(engines_folder() / "fatigue")
    found = run_gate(note, runtime, Options(threads=threads), judge)
    found = found.model_copy(update={"chosen": chosen, "reason": "as the test says"})
    found.save(cache)
    return found


def test_an_engine_says_what_it_is() -> None:
    found = open_engine("fatigue", engines())
    note = load_manifest(engines_folder() / "fatigue")
    sha256 = note.files["cpu.int8"].sha256
    assert str(found) == f"{note.version} cpu.int8 ort sha256:{sha256[:12]}"
    assert found.backend.infer({"image": IMAGE})["state"].shape == (1, 5)
    found.backend.close()


def without_openvino(**config: object) -> tuple[str, str]:
    """Standard output and error of a process in which OpenVINO cannot be imported."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPENVINO, repr(config)], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def test_where_the_runtime_is_not_installed_the_fallback_runs_and_that_is_said_aloud() -> None:
    told, logged = without_openvino()
    assert " cpu.int8 ort sha256:" in told
    first, second = logged.splitlines()
    assert first.startswith("WARNING engine fatigue cannot run on OpenVINO: OpenVINO is not installed")
    assert second == "WARNING engine fatigue is tried on ONNX Runtime instead"


def test_without_a_fallback_it_is_an_error_with_the_cure() -> None:
    told, _ = without_openvino(fallback=None)
    assert told.startswith(
        "EngineUnavailable engine fatigue cannot be run. OpenVINO: OpenVINO is not installed"
    )
    assert "pip install 'dms[intel]'" in told


def test_where_no_runtime_can_the_error_tells_why_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(BACKENDS, "ort-cuda", replace(BACKENDS["openvino"], title="Another"))
    config = EnginesConfig(fallback="ort-cuda", fatigue=EngineConfig(backend="openvino"))
    with pytest.raises(EngineUnavailable, match=r"cannot be run\. OpenVINO: .*\. Another: .*not installed"):
        open_engine("fatigue", config)


def test_the_same_runtime_is_not_tried_twice(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    config = EnginesConfig(fallback="openvino", fatigue=EngineConfig(backend="openvino"))
    with pytest.raises(EngineUnavailable):
        open_engine("fatigue", config)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda path: path.unlink(), EngineMissing),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), EngineMismatch),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), EngineMismatch),
    ],
)
def test_a_bad_file_never_falls_back(
    spoil: object, error: type[Exception], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another runtime would run on other bytes than those that were proved: nobody asked for that."""
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    spoil(tmp_path / "fatigue" / "model.trt.int8.onnx")  # type: ignore[operator]
    config = EnginesConfig(folder=str(tmp_path), fatigue=EngineConfig(backend="openvino"))
    with pytest.raises(error, match=r"model\.trt\.int8\.onnx"):
        open_engine("fatigue", config)
    assert caplog.records == []


def test_a_precision_that_is_missing_names_those_that_are_there() -> None:
    with pytest.raises(EngineMissing, match=r"no fp16 file for LiteRT, only .*; choose another precision or"):
        open_engine("fatigue", engines(backend="litert", precision="fp16"))


def test_a_file_of_another_signature_is_closed_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dms.backends.ort import OrtBackend

    closed: list[OrtBackend] = []
    monkeypatch.setattr(OrtBackend, "close", lambda self: closed.append(self))
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    note = load_manifest(tmp_path / "fatigue")
    other = load_manifest(engines_folder() / "distraction")
    file = other.files["cpu.int8"]
    shutil.copy(other.verified_path("cpu.int8"), tmp_path / "fatigue" / file.path)
    changed = note.model_copy(update={"files": {**note.files, "cpu.int8": file}})
    (tmp_path / "fatigue" / "manifest.json").write_bytes(changed.content())
    with pytest.raises(EngineMismatch, match="holds another net"):
        open_engine("fatigue", EnginesConfig(folder=str(tmp_path)))
    assert len(closed) == 1


def test_best_is_the_gates_choice_for_the_whole_application(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verdict("fp32", tmp_path)
    config = EnginesConfig(cache=str(tmp_path), fatigue=EngineConfig(precision="best"))
    with open_engines(config, lambda step: None) as opened:
        assert opened["fatigue"].artefact == "fp32"
        assert opened["eyes"].artefact == "cpu.int8"
    assert caplog.records == []


def test_best_without_a_gate_is_the_float_file_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = EnginesConfig(cache=str(tmp_path), fatigue=EngineConfig(precision="best"))
    assert open_engine("fatigue", config).artefact == "fp32"
    assert "best means fp32, no gate was run" in caplog.text


def test_best_counts_only_for_the_threads_it_was_found_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verdict("int8", tmp_path, threads=2)
    config = EnginesConfig(cache=str(tmp_path), fatigue=EngineConfig(precision="best", threads=1))
    assert open_engine("fatigue", config).artefact == "fp32"
    assert "threads was 2, is 1" in caplog.text


def test_where_nothing_passed_the_gate_the_fallback_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino", reason="the extra intel is not installed")
    verdict(None, tmp_path, runtime="openvino")
    own = EngineConfig(precision="best", backend="openvino")
    found = open_engine("fatigue", EnginesConfig(cache=str(tmp_path), fatigue=own))
    assert (found.runtime, found.artefact) == ("ort", "fp32")
    assert "failed the gate on this device: as the test says" in caplog.text
    with pytest.raises(EngineUnavailable, match="failed the gate"):
        open_engine("fatigue", EnginesConfig(cache=str(tmp_path), fallback=None, fatigue=own))


def test_options_are_those_of_the_configuration(tmp_path: Path) -> None:
    face = EngineConfig(backend="litert", threads=3, delegate="/usr/lib/a.so")
    config = EnginesConfig(cache=str(tmp_path), max_batch=8, face=face)
    options = options_of(config.face, config)
    assert (options.threads, options.delegate, options.cache) == (3, Path("/usr/lib/a.so"), tmp_path)
    assert options.max_batch == 8
    assert options_of(config.face, EnginesConfig()).max_batch == 1
    assert cache_of(EnginesConfig()).name == "dms"


def cheapest_artefact(config: EnginesConfig) -> str | None:
    """The artefact of the cheaper form of the fatigue engine; None where there is none."""
    opened = open_engine("fatigue", config)
    cheapest = open_cheapest("fatigue", config, opened)
    for engine in filter(None, (opened, cheapest)):
        engine.backend.close()
    return cheapest.artefact if cheapest else None


def test_without_a_gate_on_this_device_int8_is_the_cheapest(tmp_path: Path) -> None:
    own = EngineConfig(precision="fp32")
    assert cheapest_artefact(EnginesConfig(cache=str(tmp_path), fatigue=own)) == "cpu.int8"


def test_what_is_the_cheapest_already_has_no_cheaper_form(tmp_path: Path) -> None:
    assert cheapest_artefact(EnginesConfig(cache=str(tmp_path))) is None


def test_the_gates_choice_on_this_device_is_the_cheapest(tmp_path: Path) -> None:
    """Where INT8 is not faster, or not sound, the float file may be what the ladder falls to."""
    verdict("fp32", tmp_path)
    assert cheapest_artefact(EnginesConfig(cache=str(tmp_path))) == "fp32"
    full = EnginesConfig(cache=str(tmp_path), fatigue=EngineConfig(precision="fp32"))
    assert cheapest_artefact(full) is None, "INT8, which the gate did not choose, is not fallen to"


def test_a_configured_form_that_failed_the_gate_here_is_told_of_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verdict("fp32", tmp_path, int8_score=0.8)
    config = EnginesConfig(cache=str(tmp_path))
    cheapest_artefact(config)
    assert (
        "engine fatigue: the configured cpu.int8 failed the gate on this device: it loses 10.00 points, more "
        "than 0.3; set engines.fatigue.precision: best" in caplog.text
    )
    caplog.clear()
    cheapest_artefact(config.model_copy(update={"fatigue": EngineConfig(precision="best")}))
    verdict("fp32", tmp_path)
    cheapest_artefact(config)
    assert caplog.records == [], "what runs passed; to be slower than another form is no failure"


def test_where_the_gate_refused_all_nothing_is_switched_to(tmp_path: Path) -> None:
    verdict(None, tmp_path)
    full = EnginesConfig(cache=str(tmp_path), fatigue=EngineConfig(precision="fp32"))
    assert cheapest_artefact(full) is None


def test_int8_that_failed_the_gate_of_the_release_is_not_switched_to(tmp_path: Path) -> None:
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    note = load_manifest(tmp_path / "fatigue")
    proof = note.proofs["cpu.int8"]["ort"].model_copy(update={"passed": False})
    rewrite(note.folder, proofs={**note.proofs, "cpu.int8": {"ort": proof}})
    own = EngineConfig(precision="fp32")
    folders = {"folder": str(tmp_path), "cache": str(tmp_path / "cache")}
    assert cheapest_artefact(EnginesConfig(fatigue=own, **folders)) is None


def test_a_cheaper_file_that_is_spoilt_is_told_and_does_not_end_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(engines_folder() / "fatigue", tmp_path / "fatigue")
    path = tmp_path / "fatigue" / load_manifest(tmp_path / "fatigue").files["cpu.int8"].path
    path.write_bytes(path.read_bytes()[:-9])
    own = EngineConfig(precision="fp32")
    folders = {"folder": str(tmp_path), "cache": str(tmp_path / "cache")}
    assert cheapest_artefact(EnginesConfig(fatigue=own, **folders)) is None
    assert "the cheaper cpu.int8 is not to be had, levels 2 to 4 go without it" in caplog.text


def test_a_runtime_without_a_cheaper_form_keeps_its_own(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the extra lite is not installed")
    assert (
        cheapest_artefact(EnginesConfig(cache=str(tmp_path), fatigue=EngineConfig(backend="litert"))) is None
    )
