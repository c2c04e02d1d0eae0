"""Measuring the real artefacts, FP32 and INT8 side by side, on people never trained on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort

from dms.engines.contract import CONTRACTS
from dms.engines.manifest import NAME, load_manifest
from dms.training import metrics, release
from dms.training.crops import Images, crop_inputs, decode, frame_inputs
from dms.training.metrics import Outputs, Scores
from dms.training.pack import Pack

PRECISIONS = ("fp32", "int8")
SMALL_FACE, TURNED_DEG = 0.05, 60.0
"""Faces reported apart: 5 % of the frame's width, and turned by 60 degrees or more."""


def session(path: Path) -> ort.InferenceSession:
    """One thread, no spinning: as the run time does it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def infer(running: ort.InferenceSession, images: Images, batch: int = 32) -> Outputs:
    """Outputs of all images, by name; of none, empty arrays."""
    names = [o.name for o in running.get_outputs()]
    if not len(images):
        return {name: np.zeros((0, 1), np.float32) for name in names}
    parts = [running.run(None, {"image": images[i : i + batch]}) for i in range(0, len(images), batch)]
    return {name: np.concatenate([p[k] for p in parts]) for k, name in enumerate(names)}


def speed_ms(sessions: dict[str, ort.InferenceSession], net: str, rounds: int = 400) -> dict[str, float]:
    """Median milliseconds of one image, all precisions in turn within one process."""
    contract = CONTRACTS[net]
    image = np.random.default_rng(0).integers(0, 255, (1, 1, contract.height, contract.width), dtype=np.uint8)
    spent: dict[str, list[float]] = {p: [] for p in sessions}
    for _ in range(rounds):
        for precision, running in sessions.items():
            started = time.perf_counter()
            running.run(None, {"image": image})
            spent[precision].append(time.perf_counter() - started)
    return {p: float(np.median(s[20:]) * 1e3) for p, s in spent.items()}


def evaluate(pack: Pack, engines: Path) -> dict[str, dict[str, Scores]]:
    """All engines: net -> precision -> metric -> value."""
    report: dict[str, dict[str, Scores]] = {}
    for net in CONTRACTS:
        note = load_manifest(engines / net)
        sessions = {p: session(note.verified_path(p)) for p in PRECISIONS if p in note.files}
        measure = PREPARED[net](pack)
        report[net] = {p: measure(running) for p, running in sessions.items()}
        for precision, value in speed_ms(sessions, net).items():
            report[net][precision] |= {"ms": value, "megabytes": note.files[precision].bytes / 1e6}
    return report


Measure = Callable[[ort.InferenceSession], Scores]


def _prepare_face(pack: Pack) -> Measure:
    table = pack.tables["face"]
    sets = pack.tables["images"]["set"]
    real = table["image"] < len(sets)
    held = table["val"] & real
    in_car = np.flatnonzero(
        held & np.isin(np.where(real, sets[np.where(real, table["image"], 0)], ""), metrics.IN_CAR)
    )
    rows = in_car[(table["use"][in_car] == 1).any(axis=1)]
    frames, fits = frame_inputs(pack, rows)
    turned = _turned_rows(pack)
    turned_frames, turned_fits = frame_inputs(pack, turned)
    small = _small_frames(pack, rows)
    empty = _empty_frames(pack, np.flatnonzero(table["negative"] & table["val"]))

    def measure(running: ort.InferenceSession) -> Scores:
        found = metrics.found_faces(infer(running, frames), fits)
        far = metrics.found_faces(infer(running, turned_frames), turned_fits)
        tops = infer(running, small)["score"].max(axis=1)
        false = metrics.found_faces(infer(running, empty), [fits[0]] * len(empty))
        return {
            "recall_drivers": metrics.driver_recall(found, table["box"][rows], table["use"][rows]),
            "drivers": float(len(rows)),
            "recall_in_car": metrics.face_recall(found, table["box"][rows], table["use"][rows]),
            "faces_in_car": float((table["use"][rows] == 1).sum()),
            "recall_turned": metrics.face_recall(far, table["box"][turned], table["use"][turned]),
            "faces_turned": float(len(turned)),
            "seen_small": float((tops > metrics.SCORE).mean()),
            "false_per_500_negatives": 500 * sum(map(len, false)) / len(empty),
            "negatives": float(len(empty)),
        }

    return measure


def _turned_rows(pack: Pack) -> np.ndarray:
    """Held-out images whose largest face is turned far; both splits' tables share the face's row."""
    eyes = pack.tables["eyes"]
    far = ~eyes["simulated"] & eyes["val"] & (np.abs(eyes["head"][:, 0]) >= TURNED_DEG - 15)
    rows: np.ndarray = np.unique(eyes["image"][far])
    return rows


def _small_frames(pack: Pack, rows: np.ndarray) -> Images:
    """In-car pictures shrunk until the face is 5 % of the frame's width, on black."""
    import cv2

    contract = CONTRACTS["face"]
    out = np.zeros((len(rows), 1, contract.height, contract.width), np.uint8)
    table = pack.tables["face"]
    for slot, row in enumerate(rows):
        image = decode(pack.blobs[int(row)])
        face = table["box"][row, int((table["use"][row] == 1).argmax())]
        scale = SMALL_FACE * contract.width / float(face[2] - face[0])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        small = small[: contract.height, : contract.width]
        y, x = (contract.height - small.shape[0]) // 2, (contract.width - small.shape[1]) // 2
        out[slot, 0, y : y + small.shape[0], x : x + small.shape[1]] = small
    return out


def _empty_frames(pack: Pack, rows: np.ndarray) -> Images:
    """Pictures without a face: each whole, and its four quarters."""
    import cv2

    contract = CONTRACTS["face"]
    frames = []
    for row in rows:
        image = decode(pack.blobs[int(row)])
        h, w = image.shape[0] // 2, image.shape[1] // 2
        for part in (image, image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:]):
            frames.append(cv2.resize(part, (contract.width, contract.height), interpolation=cv2.INTER_AREA))
    return np.array(frames, np.uint8)[:, None]


def _prepare_crops(net: str, score: Callable[..., Scores]) -> Callable[[Pack], Measure]:
    def prepare(pack: Pack) -> Measure:
        rows = np.flatnonzero(pack.tables[net]["val"])
        images = crop_inputs(net, pack, rows)
        return lambda running: score(infer(running, images), pack, rows)

    return prepare


PREPARED: dict[str, Callable[[Pack], Measure]] = {
    "face": _prepare_face,
    "eyes": _prepare_crops("eyes", metrics.eyes),
    "fatigue": _prepare_crops("fatigue", metrics.fatigue),
    "distraction": _prepare_crops("distraction", metrics.distraction),
}


def publish(report: dict[str, dict[str, Scores]], engines: Path, table: Path) -> None:
    """Write `metrics.json`, the figures into the manifests, and a Markdown table."""
    rounded = {
        n: {p: {k: _short(v) for k, v in s.items()} for p, s in by.items()} for n, by in report.items()
    }
    release.save(engines / "metrics.json", rounded)
    for net, by_precision in rounded.items():
        path = engines / net / NAME
        note = json.loads(path.read_text(encoding="utf-8"))
        release.save(path, note | {"metrics": by_precision})
    table.write_text(markdown(rounded), encoding="utf-8")


def _short(value: float) -> float | None:
    return round(value, 5) if np.isfinite(value) else None


def markdown(report: dict[str, dict[str, dict[str, float | None]]]) -> str:
    """The report as a table, FP32 beside INT8."""
    lines = [
        "# Engines, measured",
        "",
        "Held-out people of the training data's own sets; the shipped files, ONNX Runtime, one thread.",
        "Written by `python -m dms.training evaluate`; milliseconds depend on the machine and its load.",
        "",
        "| engine | metric | FP32 | INT8 |",
        "|---|---|---|---|",
    ]
    for net, by in report.items():
        for metric in by["fp32"]:
            values = [by.get(p, {}).get(metric) for p in PRECISIONS]
            cells = " | ".join("–" if v is None else f"{v:.4g}" for v in values)
            lines.append(f"| {net} | {metric} | {cells} |")
    return "\n".join(lines) + "\n"
