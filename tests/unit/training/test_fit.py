from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("PIL", reason="training reads pictures with Pillow")
pytest.importorskip("tqdm", reason="training shows its progress with tqdm")
pytest.importorskip("onnx", reason="trained nets are exported with onnx")

from dms.engines.contract import CONTRACTS  # noqa: E402 - after the check that torch is there
from dms.errors import InputError  # noqa: E402
from dms.evaluation import pack  # noqa: E402
from dms.training import checkpoint, fit, fitting  # noqa: E402
from dms.training.data import Data, open_data  # noqa: E402
from dms.training.recipe import Recipe  # noqa: E402

SHORT = Recipe(steps=6, seconds=600, batch=4, check_every=2, save_every_s=1e-9)


@pytest.fixture(scope="module")
def data(folder: Path) -> Data:
    return open_data(folder)


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four nets after two steps, the fatigue net with a teacher."""
    out = tmp_path_factory.mktemp("out")
    configs = tmp_path_factory.mktemp("configs")
    for net in CONTRACTS:
        jury = "teachers: 1\nteacher_steps: 1\n" if net == "fatigue" else ""
        (configs / f"{net}.yaml").write_text(f"steps: 2\nseconds: 600\nbatch: 4\n{jury}")
    fitting.fit_all(tuple(CONTRACTS), folder, out, configs)
    return out


@pytest.mark.parametrize("net", CONTRACTS)
def test_training_leaves_weights_a_log_a_picture_and_a_model(trained: Path, net: str) -> None:
    out = trained / net
    assert (out / "weights.pt").stat().st_size > 100_000
    assert (out / "model.onnx").is_file()
    assert (out / "training.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "checkpoint.pt").exists()
    with (out / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["step"] == "2"
    assert any(name.startswith("loss_") for name in rows[-1])


def test_the_record_says_what_was_trained_on_what(trained: Path, data: Data) -> None:
    note = json.loads((trained / "eyes" / "run.json").read_text())
    assert note["net"] == "eyes"
    assert note["recipe"]["batch"] == 4
    assert note["data_sha256"] == data.sha256
    assert note["torch"] == torch.__version__
    assert note["drawn_share_by_set"] == {"seat_belt": 1.0}
    assert note["steps"] == note["scores"]["step"] == 2


def test_teachers_lie_beside_their_student(trained: Path) -> None:
    assert fitting.finished(trained / "fatigue" / "teacher-0")
    with (trained / "fatigue" / "training.csv").open() as file:
        assert "loss_agreed/state" in next(csv.reader(file))


def test_a_trained_net_can_be_loaded_and_exported_later(trained: Path) -> None:
    (trained / "face" / "model.onnx").unlink()
    assert trained / "face" in fitting.runs_in(trained)
    fitting.export_run(trained / "face")
    assert (trained / "face" / "model.onnx").is_file()
    with pytest.raises(InputError, match="holds a face net, not a eyes net"):
        fitting.load_trained(trained / "face", "eyes")


def test_nothing_trained_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds nothing that `fit` trained"):
        fitting.runs_in(tmp_path)


def test_finished_nets_stay_as_they_are_on_resume(trained: Path, folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "eyes.yaml"
    config.write_text("steps: 2\nseconds: 600\nbatch: 4\n")
    before = (trained / "eyes" / "weights.pt").stat().st_mtime_ns
    fitting.fit_all(["eyes"], folder, trained, config, resume=True)
    assert (trained / "eyes" / "weights.pt").stat().st_mtime_ns == before


class Stopped(Exception):
    """Stands for a killed process."""


def stop_at(task: object, step: int) -> None:
    """Let the task's `step`-th batch fail."""
    batch, count = task.batch, 0

    def counted(size: int):
        nonlocal count
        count += 1
        if count == step:
            raise Stopped
        return batch(size)

    task.batch = counted


def test_a_stopped_run_goes_on_to_the_same_end(data: Data, tmp_path: Path) -> None:
    whole, _ = fit.train("fatigue", fitting.make_task("fatigue", data, SHORT), SHORT, tmp_path / "whole")
    task = fitting.make_task("fatigue", data, SHORT)
    stop_at(task, 4)
    with pytest.raises(Stopped):
        fit.train("fatigue", task, SHORT, tmp_path / "stopped")
    again = fitting.make_task("fatigue", data, SHORT)
    torch.rand(7)  # a new process would draw other numbers
    resumed, result = fit.train("fatigue", again, SHORT, tmp_path / "stopped", resume=True)
    assert result["steps"] == 6
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_of_another_run_is_refused(data: Data, tmp_path: Path) -> None:
    task = fitting.make_task("fatigue", data, SHORT)
    stop_at(task, 3)
    with pytest.raises(Stopped):
        fit.train("fatigue", task, SHORT, tmp_path, data="one")
    with pytest.raises(InputError, match=r"its data is one, now it is two"):
        fit.train("fatigue", task, SHORT, tmp_path, data="two", resume=True)


def test_a_cut_checkpoint_is_named(data: Data, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(InputError, match="is damaged"):
        fit.train("fatigue", fitting.make_task("fatigue", data, SHORT), SHORT, tmp_path, resume=True)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "LOOK_EVERY", 1)
    task = fitting.make_task("fatigue", data, SHORT)
    loss, count = task.loss, 0

    def broken(out, target):
        nonlocal count
        count += 1
        return {k: v * (float("nan") if count == 4 else 1) for k, v in loss(out, target).items()}

    task.loss = broken
    with pytest.raises(fit.Diverged, match=r"loss state .* step 4; .*checkpoint.pt is the last good one"):
        fit.train("fatigue", task, SHORT, tmp_path)
    assert not (tmp_path / "weights.pt").exists()
    saved = checkpoint.load(tmp_path / "checkpoint.pt")
    assert saved["step"] == 3
    assert all(v.isfinite().all() for v in saved["averaged"].values())


def test_a_gradient_that_breaks_the_weights_is_not_saved(data: Data, tmp_path: Path) -> None:
    run = fit.Run("fatigue", fitting.make_task("fatigue", data, SHORT), SHORT, tmp_path)
    run.advance()
    run.save()
    with torch.no_grad():
        next(run.averaged.net.parameters()).fill_(float("inf"))
    with pytest.raises(fit.Diverged, match="a weight is infinite"):
        run.save()
    assert checkpoint.load(tmp_path / "checkpoint.pt")["step"] == 1


def test_the_end_of_a_run_augments_less(data: Data, tmp_path: Path) -> None:
    how = Recipe(steps=4, seconds=600, batch=4, calm_from=0.5)
    task = fitting.make_task("fatigue", data, how)
    seen = []
    batch = task.batch
    task.batch = lambda size: (seen.append(task.strength), batch(size))[1]
    fit.train("fatigue", task, how, tmp_path)
    assert seen[:3] == [1, 1, 1]
    assert 0.25 < seen[3] < 1


def test_data_without_rows_to_learn_from_is_refused(data: Data) -> None:
    table = data.pack.tables["eyes"] | {"val": np.ones(24, bool)}
    held = Data(pack.Pack(data.pack.blobs, data.pack.tables | {"eyes": table}), data.bank, "")
    with pytest.raises(InputError, match="no training rows for the eyes net"):
        fitting.make_task("eyes", held, SHORT)


def test_the_hash_of_data_follows_every_label(data: Data) -> None:
    tables = data.pack.tables
    other = tables | {"eyes": tables["eyes"] | {"openness": tables["eyes"]["openness"] + 1}}
    assert pack.data_hash(data.pack) == data.sha256
    assert pack.data_hash(pack.Pack(data.pack.blobs, other)) != data.sha256


def test_the_rate_rises_and_falls() -> None:
    rates = [fit.rate_at(p, 1.0) for p in (0, 0.08, 0.5, 1)]
    assert rates[0] < 0.1
    assert rates[1] == pytest.approx(1)
    assert rates[1] > rates[2] > rates[3] > 0
