"""What `gpu_bench` measured, as text for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TARGET_US = 15.0
"""For 720p to all four inputs in one launch, on a data-centre GPU."""


def as_text(found: Mapping[str, Any]) -> str:
    """The figures for a person."""
    memory = found["memory"]
    trips = ", ".join(f"{name} {us:.0f} µs" for name, us in memory["round_trip_us"].items())
    lines = [
        found["device"],
        f"memory: {memory['chosen']} (720p in, results out: {trips})",
        f"copy on the device {found['device_copy_gb_s']:.0f} GB/s",
        f"empty launch {found['empty_launch_us']:.2f} µs",
    ]
    for name, row in found["frames"].items():
        lines.append(
            f"{name}: all inputs {row['kernel_us']:.2f} µs (memory {row['memory_bound_us']:.2f} + launch = "
            f"{row['roofline_us']:.2f} µs; from Python {row['launched_from_python_us']:.1f}), "
            f"upload {row['upload_us']:.1f} µs, OpenCV {row['host_opencv_us']:.0f} µs, apart from OpenCV "
            f"{found['opencv']} at most {row['max_apart_from_opencv']} ({row['share_apart_from_opencv']:.4%})"
        )
    kernel_us = found["frames"]["720p"]["kernel_us"]
    lines.append(
        f"target for 720p at most {TARGET_US:.0f} µs: {'met' if kernel_us <= TARGET_US else 'missed'}"
    )
    for name, row in found.get("whole_frame", {}).items():
        lines.append(
            f"{name}, four nets: graph {row['graph_us']:.0f} µs, piece by piece "
            f"{row['piece_by_piece_us']:.0f} µs, engine by engine {row['engine_by_engine_us']:.0f} µs"
        )
        lines += [f"  no graph for {nets}: {why}" for nets, why in row["not_graphs"].items()]
    if "whole_frame" not in found:
        lines.append("a whole frame was not measured: no engines were given")
    return "\n".join(lines)
