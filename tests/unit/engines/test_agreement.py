from __future__ import annotations

import pytest

from dms.engines.agreement import distance_percent, recorded, runtimes_of, table
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import DataNote, OutputNote, Proof
from dms.engines.verify import Verified
from dms.resources import engines_folder

DATA = DataNote(name="mine", sha256="0" * 64, pictures=80)


def proof(lost: float, **outputs: OutputNote) -> Proof:
    return Proof(
        metric="auc",
        data=DATA,
        before=0.9,
        after=0.9 - lost / 100,
        loss_points=lost,
        limit_points=0.3,
        passed=lost <= 0.3,
        inputs=8,
        outputs=outputs,
    )


CLOSE = OutputNote(max_error=0.4, mean_error=0.01, spread=2.0)
FAR = OutputNote(max_error=0.1, mean_error=0.01, spread=0.2)
STILL = OutputNote(max_error=0.1, mean_error=0.1, spread=0.0)


def test_distance_is_that_of_the_output_furthest_off_against_its_own_spread() -> None:
    assert distance_percent(proof(0, close=CLOSE, far=FAR, still=STILL)) == pytest.approx(5)
    assert distance_percent(proof(0, still=STILL)) == 0


def test_each_runtime_has_its_column_and_says_what_it_did_not_run() -> None:
    found = {
        "eyes": {
            "ort": Verified({"cpu.int8": proof(0.1, a=CLOSE)}, {}),
            "litert": Verified({"lite.fp32": proof(-0.0, a=CLOSE)}, {}),
            "openvino": Verified({"fp32": proof(0.5, a=FAR)}, {"cpu.int8": "x"}, {"trt.int8": "x"}),
        }
    }
    assert table(found, ["ort", "openvino", "litert"]) == [
        ["engine", "file", "ONNX Runtime", "OpenVINO", "LiteRT"],
        ["eyes", "fp32", "–", "5.00 %, +0.50 FAILED", "–"],
        ["eyes", "cpu.int8", "0.50 %, +0.10", "skipped", "–"],
        ["eyes", "trt.int8", "–", "REFUSED", "–"],
        ["eyes", "lite.fp32", "–", "–", "0.50 %, +0.00"],
    ]


def test_what_the_shipped_manifests_hold_is_a_table_too() -> None:
    found = recorded(engines_folder())
    assert {"ort", "openvino"} <= set(runtimes_of(found))
    header, *body = table(found, runtimes_of(found))
    assert header[:3] == ["engine", "file", "ONNX Runtime"]
    assert {row[0] for row in body} == set(CONTRACTS)
    assert not any("FAILED" in cell for row in body for cell in row)
