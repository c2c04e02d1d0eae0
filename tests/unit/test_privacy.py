from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OPEN_ONE = """
from dms.backends import open_backend
from dms.engines.manifest import load_manifest
from dms.resources import engines_folder
open_backend("ort", load_manifest(engines_folder() / "fatigue").verified_path("cpu.int8")).close()
"""


def test_running_an_engine_leaves_nothing_in_the_home_directory(tmp_path: Path) -> None:
    """ONNX Runtime would note a number of this device there, and report under it."""
    outside = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY" and "XDG" not in k}
    subprocess.run(
        [sys.executable, "-c", OPEN_ONE],
        env={**outside, "HOME": str(tmp_path), "PYTHONPATH": os.getcwd()},
        check=True,
        timeout=120,
    )
    assert list(tmp_path.rglob("*")) == []
