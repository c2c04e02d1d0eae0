"""Reports as `dms bench` makes them, with figures made up for tests."""

from __future__ import annotations

from dms.tools.bench.records import (
    Device,
    Environment,
    Figures,
    Memory,
    Report,
    Row,
    Run,
    SpeedUp,
    Spread,
    Stages,
)

NETS = ("face", "eyes")


def spread(ms: float, noise: float = 0.02) -> Spread:
    return Spread(
        p50=ms,
        p95=2 * ms,
        p99=3 * ms,
        p50_range=(ms * (1 - noise), ms * (1 + noise)),
        p95_range=(2 * ms * (1 - noise), 2 * ms * (1 + noise)),
    )


def run(total_ms: float, noise: float = 0.02, **changes) -> Run:
    shares = {"pre": 0.1, "infer": 0.8, "post": 0.1, "total": 1.0}
    stages = Stages(**{name: spread(share * total_ms, noise) for name, share in shares.items()})
    given = {"frames": 300, "fps": 30.0, "cpu_percent": 12.5, "others_percent": 3.0}
    return Run(**(given | changes), stages=stages, by_net=dict.fromkeys(NETS, stages))


def row(runtime="ort", precision="fp32", total_ms=8.0, noise=0.02, peak_mb=150.0, **changes) -> Row:
    figures = Figures(
        load_s={"face": 0.1, "eyes": 0.05},
        unpaced=run(0.8 * total_ms, noise),
        paced=run(total_ms, noise),
        memory=Memory(base_mb=80, model_mb=40, run_mb=5, peak_mb=peak_mb),
    )
    given = {
        "image_size": "640x360",
        "nets": NETS,
        "file_mb": {"face": 1.0, "eyes": 3.0},
        "loss_points": {"face": 0.0, "eyes": 0.04},
        "figures": figures,
    }
    return Row(runtime=runtime, precision=precision, **(given | changes))


def refusal(runtime="trt", precision="fp32", why="no GPU here") -> Row:
    return Row(runtime=runtime, precision=precision, image_size="640x360", nets=NETS, why=why)


def environment(**changes) -> Environment:
    given = {
        "date": "2026-11-21T12:00:00+00:00",
        "processor": "A processor",
        "cores": 2,
        "board": None,
        "l4t": None,
        "kernel": "6.8",
        "versions": {"dms": "0.1.0", "onnxruntime": "1.31.1"},
        "power_mode": None,
        "cpu_clocks_mhz": {},
        "gpu_clock_mhz": None,
        "temperatures_before_c": {},
        "temperatures_after_c": {},
        "throttled_by": None,
    }
    return Environment(**(given | changes))


def report(*rows: Row, **changes) -> Report:
    return Report(environment=environment(**changes), rows=rows)


def usual() -> Report:
    """FP32 and INT8 on one platform, one on a device that tells its power, one that does not run here."""
    faster = SpeedUp(value=2.5, low=2.3, high=2.75)
    return report(
        row(),
        row(precision="cpu.int8", total_ms=4.0, speed_up=faster),
        row(
            "openvino",
            "trt.int8",
            3.0,
            device=Device(board_w=6.0, frame_mj=200.0, gpu_load=0.4),
            loss_points={"face": 0.1},
        ),
        refusal(precision="fp32"),
        refusal(precision="trt.int8"),
    )
