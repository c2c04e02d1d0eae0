"""Training pictures from the simulator: many portraits, random poses, exact labels."""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from dms.errors import InputError
from dms.simulator.portrait import Image
from dms.simulator.render import Renderer, Shape
from dms.simulator.rig import Pose
from dms.simulator.scene import Optics, expose
from dms.simulator.view import View, Worn
from dms.training.portraits import Teacher, fit_portrait

_LOG = logging.getLogger(__name__)

_SIDE = 256
_JPEG_QUALITY = 82
_FACE_PX = 150
"""Faces larger than this are reduced before fitting: the rendered ones are smaller still."""
_MASK_PX = 260
"""The outline of the head is found at this size: a third of the time, and no coarser than it is drawn."""
_QUOTA = {
    "lfw_grey": 0.26, "portraits": 0.16, "udacity_faces": 0.20, "yawdd_stills": 0.14, "aps360_yawn": 0.08,
    "aps360_eyes": 0.06, "har": 0.04, "smokers": 0.04, "seat_belt": 0.02,
}  # fmt: skip
"""Share of the portraits taken from each set of the data pack."""
_PHONES = ("none", "ear", "hand")


@dataclass(frozen=True, slots=True)
class Sample:
    """One rendered picture (grey) with its labels."""

    grey: Image
    pose: Pose
    worn: Worn
    shape: Shape


def generate(
    data_dir: Path,
    teacher_path: Path,
    out_npz: Path,
    count: int,
    seed: int,
    portraits: int = 620,
    workers: int | None = None,
) -> Path:
    """Render `count` pictures of 256x256 and write them with their labels to `out_npz`.

    The file holds `jpeg` (all JPEG files joined, uint8), `offset` (n+1), `landmarks` (n, 60, 2) pixels,
    `head` (n, 3) yaw, pitch, roll, `gaze` (n, 2) against the line of sight, `openness` and `visibility`
    (n, 2) right and left, `mouth_open` (n,) inner-lip height over width, `mouth_covered`, `phone` (0 none,
    1 ear, 2 hand), `sunglasses`, `portrait` (number) and `val` (n,). Every portrait has its own random
    numbers, so the file does not depend on the number of `workers` (None: one a core).

    Raises:
        InputError: the data pack or the teacher is missing, or no portrait could be fitted.
    """
    chosen = choose(data_dir, portraits, np.random.default_rng(seed))
    if not teacher_path.is_file():
        raise InputError(f"no teacher at {teacher_path}: give the path of face_landmarker.task")
    each = -(-count // max(1, len(chosen)))
    jobs = [
        _Job(data_dir, teacher_path, path, number, val, each, seed)
        for number, (path, val) in enumerate(chosen)
    ]
    files: list[bytes] = []
    rows: list[dict[str, object]] = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for drawn in tqdm(pool.map(_draw, jobs), total=len(jobs), desc="portraits", mininterval=2):
            files += [file for file, _ in drawn]
            rows += [row for _, row in drawn]
    if not rows:
        raise InputError(f"no portrait of {data_dir} could be fitted: check the data pack")
    return _write(out_npz, files[:count], rows[:count])


@dataclass(frozen=True, slots=True)
class _Job:
    """One portrait: a picture of the data pack, on the validation side or not, to be drawn `count` times."""

    data_dir: Path
    teacher_path: Path
    path: str
    number: int
    val: bool
    count: int
    seed: int


def _draw(job: _Job) -> list[tuple[bytes, dict[str, object]]]:
    """JPEG files and labels of one portrait; none, with a warning, where it cannot be fitted."""
    cv2.setNumThreads(1)
    photo = cv2.imread(str(job.data_dir / job.path), cv2.IMREAD_COLOR)
    if photo is None:
        _LOG.warning("cannot read %s, left out", job.path)
        return []
    teacher = Teacher(job.teacher_path)
    try:
        fitted = fit_portrait(_reduced(np.asarray(photo, np.uint8), teacher), teacher, _MASK_PX)
    except InputError as error:
        _LOG.warning("%s left out: %s", job.path, error)
        return []
    finally:
        teacher.close()
    return pictures(Renderer(fitted), job.number, job.val, job.count, job.seed, _backgrounds(job.data_dir))


def pictures(
    renderer: Renderer, number: int, val: bool, count: int, seed: int, backgrounds: list[Path]
) -> list[tuple[bytes, dict[str, object]]]:
    """`count` JPEG files of one driver, each with its labels; the same for the same seed and `number`."""
    rng = np.random.default_rng([seed, number])
    samples = (_picture(renderer, backgrounds, rng) for _ in range(count))
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    return [(cv2.imencode(".jpg", s.grey, quality)[1].tobytes(), _labels(s, number, val)) for s in samples]


def choose(data_dir: Path, count: int, rng: np.random.Generator) -> list[tuple[str, bool]]:
    """Paths of near-frontal, open-eyed faces (one a group) and whether they belong to the validation side."""
    try:
        faces = pd.read_parquet(data_dir / "teacher_faces.parquet")
        manifest = pd.read_csv(data_dir / "manifest.csv", keep_default_na=False)
    except OSError as error:
        raise InputError(f"no data pack at {data_dir}: give the folder that holds manifest.csv") from error
    faces = faces[faces.face == 0].merge(manifest[["path", "set", "split", "group"]], on="path")
    good = (
        faces.mesh_ok & (faces.score >= 0.75) & (faces.mp_yaw.abs() < 14) & (faces.mp_pitch.abs() < 16)
        & (faces.mp_roll.abs() < 14) & (faces[["blink_left", "blink_right"]].max(axis=1) < 0.30)
        & (faces.ear_left > 0.2) & (faces.ear_right > 0.2) & (faces.comma_sunglasses < 0.3)
        & ((faces.x2 - faces.x1) >= 85) & (faces.mouth_ratio < 0.25)
    )  # fmt: skip
    faces = faces[good].sample(frac=1.0, random_state=int(rng.integers(1 << 31))).drop_duplicates("group")
    train = _by_quota(faces[faces.split == "train"], round(count * 10 / 11))
    return [(p, False) for p in train] + [
        (p, True) for p in _by_quota(faces[faces.split == "val"], count // 11)
    ]


def _by_quota(faces: pd.DataFrame, count: int) -> list[str]:
    picks: list[str] = []
    for name, share in _QUOTA.items():
        picks += faces[faces["set"] == name].path.head(round(count * share)).tolist()
    rest = faces[~faces.path.isin(picks)].path.head(max(0, count - len(picks))).tolist()
    return (picks + rest)[:count]


def _backgrounds(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "images" / "negatives").glob("*.jpg"))


def _reduced(photo: Image, teacher: Teacher) -> Image:
    seen = teacher(photo)
    face = float(np.ptp(seen[0][:, 0])) if seen is not None else float(_FACE_PX)
    if face <= _FACE_PX:
        return photo
    share = _FACE_PX / face
    return np.asarray(cv2.resize(photo, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def _picture(renderer: Renderer, backgrounds: list[Path], rng: np.random.Generator) -> Sample:
    pose, worn = random_pose(rng), _random_worn(rng)
    nir = float(rng.random() < 0.3)
    face = float(rng.uniform(0.33, 0.58)) * _SIDE
    center = (
        _SIDE / 2
        + float(rng.normal(0, 0.05)) * _SIDE
        - 0.25 * face * float(np.sin(np.radians(pose.yaw_deg))),
        _SIDE / 2 + 0.18 * face + float(rng.normal(0, 0.05)) * _SIDE,
    )
    side = float(rng.uniform(-0.9, 0.9)) if rng.random() < 0.35 else 0.0
    view = View(center, face, side, nir * float(rng.random() < 0.5) * float(rng.uniform(0.2, 0.8)))
    frame = _background(backgrounds, rng)
    shape = renderer.render(frame, pose, view, worn)
    optics = Optics(
        float(np.clip(np.exp(rng.normal(-0.1 - 0.2 * nir, 0.3)), 0.3, 1.3)),
        nir * float(rng.uniform(0.6, 1)),
        float(rng.exponential(2.0)),
    )
    seen = expose(frame, optics, rng)
    grey = cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY)
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.4, 1.3)))
    return Sample(np.asarray(grey, np.uint8), pose, worn, shape)


def random_pose(rng: np.random.Generator) -> Pose:
    """A pose drawn with a heavy tail: head to 70 degrees, eyes to 40, lids and jaw anywhere."""
    far = rng.random() < 0.4
    yaw = rng.uniform(-70, 70) if far else np.clip(rng.normal(0, 18), -70, 70)
    right, left = _random_lids(rng)
    return Pose(
        yaw_deg=float(yaw),
        pitch_deg=float(np.clip(rng.normal(0, 14), -35, 35)),
        roll_deg=float(np.clip(rng.normal(0, 8), -20, 20)),
        gaze_yaw_deg=float(np.clip(rng.normal(0, 17), -40, 40)),
        gaze_pitch_deg=float(np.clip(rng.normal(-3, 11), -30, 22)),
        open_right=right,
        open_left=left,
        jaw=float(rng.uniform(0, 1)) if rng.random() < 0.4 else 0.0,
    )


def _random_lids(rng: np.random.Generator) -> tuple[float, float]:
    """Right and left: open, shut, anything between, and in 15 of 100 each eye on its own (half are winks)."""
    kind = rng.random()
    if kind > 0.925:
        return (0.0, 1.0) if rng.random() < 0.5 else (1.0, 0.0)
    if kind > 0.85:
        return float(rng.uniform(0, 1)), float(rng.uniform(0, 1))
    both = 0.0 if kind < 0.18 else float(rng.uniform(0.85, 1.0) if kind < 0.62 else rng.uniform(0.0, 0.9))
    apart = float(rng.normal(0, 0.03)) * (both > 0)
    return float(np.clip(both + apart, 0, 1)), float(np.clip(both - apart, 0, 1))


def _random_worn(rng: np.random.Generator) -> Worn:
    kind = rng.random()
    phone = "ear" if kind < 0.11 else "hand" if kind < 0.20 else "none"
    eyewear = rng.random()
    return Worn(
        sunglasses=bool(eyewear < 0.12),
        tint=float(rng.uniform(0.3, 0.97)),
        glasses=bool(eyewear > 0.85),
        mask=bool(rng.random() < 0.08),
        phone=phone,
        phone_on_right=bool(rng.random() < 0.5),
        hand_on_face=bool(0.20 <= kind < 0.26),
    )


def _background(paths: list[Path], rng: np.random.Generator) -> Image:
    """A random piece of a picture without faces, or a gradient."""
    if paths and rng.random() < 0.8:
        picture = cv2.imread(str(paths[int(rng.integers(len(paths)))]), cv2.IMREAD_COLOR)
        if picture is not None:
            grown = cv2.resize(
                picture, None, fx=_SIDE / min(picture.shape[:2]), fy=_SIDE / min(picture.shape[:2])
            )
            y, x = (int(rng.integers(0, grown.shape[i] - _SIDE + 1)) for i in (0, 1))
            cut = grown[y : y + _SIDE, x : x + _SIDE]
            return np.asarray(cv2.GaussianBlur(cut, (0, 0), float(rng.uniform(0.3, 3.0))), np.uint8).copy()
    corners = rng.uniform(0, 255, (2, 2, 1)).astype(np.float32)
    flat = cv2.resize(corners, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.repeat(flat[..., None], 3, axis=2), np.uint8)


def _labels(sample: Sample, number: int, val: bool) -> dict[str, object]:
    pose, shape = sample.pose, sample.shape
    return {
        "landmarks": shape.landmarks.astype(np.float32),
        "head": np.array([pose.yaw_deg, pose.pitch_deg, pose.roll_deg], np.float32),
        "gaze": np.array(pose.gaze_in_camera, np.float32),
        "openness": np.array([pose.open_right, pose.open_left], np.float32),
        "visibility": np.array(shape.visibility, np.float32),
        "mouth_open": np.float32(shape.mouth_open),
        "mouth_covered": np.float32(sample.worn.mask),
        "phone": np.int64(_PHONES.index(sample.worn.phone)),
        "sunglasses": np.float32(sample.worn.sunglasses),
        "portrait": np.int64(number),
        "val": np.bool_(val),
    }


def _write(out: Path, files: list[bytes], rows: list[dict[str, object]]) -> Path:
    columns: dict[str, NDArray[np.generic]] = {
        key: np.stack([np.asarray(r[key]) for r in rows]) for key in rows[0]
    }
    offset = np.concatenate([[0], np.cumsum([len(f) for f in files])]).astype(np.int64)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(out.name + ".part.npz")
    np.savez(temporary, jpeg=np.frombuffer(b"".join(files), np.uint8), offset=offset, **columns)  # type: ignore[arg-type]
    temporary.replace(out)
    return out
