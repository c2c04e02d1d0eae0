import json

import pytest

from dms.engines.contract import CONTRACTS
from dms.tools import gpu_bench
from tests.unit.backends.cuda import twin as twins
from tests.unit.backends.cuda.host_cuda import HostCuda
from tests.unit.backends.cuda.test_chain import NetLike


@pytest.fixture
def cuda(monkeypatch, tmp_path):
    if not twins.has_compiler():
        pytest.skip("g++ is not installed")
    for name, small in (("COPIED_BYTES", 1 << 16), ("LAUNCHES", 2), ("REPEATS", 4), ("LOOKS", 10)):
        monkeypatch.setattr(gpu_bench, name, small)
    monkeypatch.setattr(gpu_bench, "FRAMES", {"720p": (720, 1280)})
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    return HostCuda(twins.built(tmp_path)).install(monkeypatch)


def test_measures_and_tells_the_same_to_people_and_to_programs(cuda, tmp_path, capsys):
    engines = {net: NetLike(cuda, net) for net in CONTRACTS}
    assert gpu_bench.main(["--json", str(tmp_path / "gpu.json")], engines) == 0
    found = json.loads((tmp_path / "gpu.json").read_text())
    row = found["frames"]["720p"]
    assert row["bytes"] == 1280 * 720 + sum(c.height * c.width for c in CONTRACTS.values())
    assert row["max_apart_from_opencv"] <= 8
    assert row["roofline_us"] == pytest.approx(row["memory_bound_us"] + found["empty_launch_us"])
    assert found["whole_frame"]["720p"]["not_graphs"] == {}
    text = capsys.readouterr().out
    assert "Host, playing a GPU" in text
    assert f"all inputs {row['kernel_us']:.2f} µs" in text
    assert cuda.held == []


def test_without_engines_says_what_was_left_out(cuda, capsys):
    assert gpu_bench.main([]) == 0
    assert "no engines were given" in capsys.readouterr().out


def test_without_a_gpu_says_why(monkeypatch, capsys):
    HostCuda(driver=0).install(monkeypatch)
    assert gpu_bench.main([]) == 5
    assert "no NVIDIA driver" in capsys.readouterr().err
