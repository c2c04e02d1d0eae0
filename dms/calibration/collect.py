"""Gathering calibration pictures from a source: those that show what the set still lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, nan
from pathlib import Path

import cv2
import numpy as np

from dms.calibration import coverage
from dms.calibration.coverage import Counts, View
from dms.engines.contract import ACTIVITIES
from dms.errors import InputError, SourceEnded
from dms.evaluation import labels as notes
from dms.evaluation.boxes import BOX_ROUND_LANDMARKS, known_box, relative_box
from dms.evaluation.labels import Label
from dms.files import write_bytes_atomically
from dms.pipeline import Pipeline
from dms.records import Box, Eyes, Frame, Luma, Observation, Points
from dms.sources import FrameSource
from dms.sources.camera import without_password

SURE = 0.5
"""Probability from which a state or an activity counts."""
APART_S, CHANGED_APART_S = 0.5, 0.1
"""Two pictures lie at least this far apart; less where the second shows something else."""
SAVE_EVERY = 20
LEAST_FACE_PX = 16
"""What is left of a face at the picture's edge; smaller ones show nothing."""


@dataclass(frozen=True, slots=True)
class Session:
    """What no engine can tell, the same for all pictures of one run."""

    source: str
    person: str = ""
    glasses: str | None = None
    infrared: bool | None = None

    def told(self, label: Label) -> Label:
        """The label with what this run says of all its pictures, and without the source's password."""
        return replace(
            label,
            person=self.person,
            glasses=(self.glasses or "") if label.face else "",
            infrared=self.infrared,
            source=without_password(self.source),
        )


class Collection:
    """A folder of calibration pictures on its way to being complete; an existing one is carried on."""

    def __init__(self, folder: Path, count: int, session: Session) -> None:
        """Open or make the folder.

        Raises:
            InputError: it holds something else, is damaged, or cannot be written to.
        """
        self.folder, self.count = folder, count
        self._session = session
        self._labels = _existing(folder)
        self._views = [coverage.view(label, _picture(folder, label)) for label in self._labels]
        self._unsaved = 0
        self._last: tuple[float, View | None] = (-inf, None)
        self._next = 1 + max((_number(path) for path in folder.glob("*.png")), default=0)

    @property
    def counts(self) -> Counts:
        """How many pictures each bin has."""
        return coverage.tally(self._views)

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self._labels)

    @property
    def lacking(self) -> dict[tuple[str, str], int]:
        """What is still missing, by facet and bin."""
        return coverage.lacking(self.counts, self.count)

    @property
    def within_reach(self) -> dict[tuple[str, str], int]:
        """Of what is missing that which this run can show: its driver wears no other glasses."""
        worn = ("glasses", self._session.glasses)
        return {gap: n for gap, n in self.lacking.items() if gap[0] != "glasses" or gap == worn}

    @property
    def complete(self) -> bool:
        """Whether all that this run can show is there, and beside what is left to others the whole number."""
        left = sum(self.lacking.values())
        return not self.within_reach and self.pictures + left >= self.count

    def offer(self, frame: Frame, seen: Observation) -> bool:
        """Keep the frame if the set needs it; tells whether it was kept."""
        label = observed(seen, frame.image)
        if label is None:
            return False
        label = self._session.told(label)
        view = coverage.view(label, frame.image)
        if not self._apart(frame.captured_s, view) or not self._needs(view):
            return False
        self._keep(frame, label, view)
        return True

    def _apart(self, now_s: float, view: View) -> bool:
        last_s, last = self._last
        changed = last is None or last.bins != view.bins
        return now_s - last_s >= (CHANGED_APART_S if changed else APART_S)

    def _needs(self, view: View) -> bool:
        """Whether it fills a gap, or there is room beside what is kept free for the gaps."""
        lacking = self.lacking
        place = coverage.distance(view, coverage.usual_width([*self._views, view]))
        bins = {**view.bins, "distance": place}
        return (
            any(gap in lacking for gap in bins.items()) or self.pictures + sum(lacking.values()) < self.count
        )

    def _keep(self, frame: Frame, label: Label, view: View) -> None:
        path = f"{self._next:06d}.png"
        write_bytes_atomically(self.folder / path, cv2.imencode(".png", frame.image)[1].tobytes())
        self._labels.append(replace(label, path=path, captured_s=frame.captured_s))
        self._views.append(view)
        self._next += 1
        self._last = (frame.captured_s, view)
        self._unsaved += 1
        if self._unsaved >= SAVE_EVERY or self.pictures == 1:
            self.save()

    def save(self) -> None:
        """Write the tables.

        Raises:
            InputError: the folder cannot be written to or is full; the old tables are left.
        """
        if self._unsaved:
            notes.write(self.folder, self._labels)
            self._unsaved = 0


def collect(
    source: FrameSource,
    pipeline: Pipeline,
    collection: Collection,
    first_frame_s: float,
    lost_after_s: float,
    seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    told: Callable[[int], None] = lambda kept: None,
) -> None:
    """Offer frame after frame until the set is complete, the source ends, time is up or `stop()`.

    Args:
        source: where frames come from; `pipeline` measures them for `collection`.
        pipeline: with its engines loaded.
        collection: keeps what it needs; saved also when something fails.
        first_frame_s: how long to wait for the first frame.
        lost_after_s: and for each after it.
        seconds: of the source's own time, at most; None = no limit.
        stop: asked before each frame.
        told: called after each frame with the pictures kept of it, 0 or 1.

    Raises:
        SourceLost: no frame came; what was collected is kept.
    """
    patience_s, end_s = first_frame_s, inf
    try:
        while not stop() and not collection.complete:
            try:
                frame = source.newest(patience_s)
            except SourceEnded:
                break
            if end_s == inf and seconds is not None:
                end_s = frame.captured_s + seconds
            if frame.captured_s > end_s:
                break
            patience_s = lost_after_s
            told(int(collection.offer(frame, pipeline.step(frame).observation)))
    finally:
        collection.save()


def observed(seen: Observation, picture: Luma) -> Label | None:
    """What the engines say of a frame; None where they fail, or doubt whether there is a face in it."""
    if seen.faults or (seen.face is None) != (seen.eyes is None):
        return None
    if seen.eyes is None:
        return Label("", by="engine", face=False)
    eyes, fatigue, distraction = seen.eyes, seen.fatigue, seen.distraction
    height, width = picture.shape
    box = _box(eyes, width, height)
    if min(box.width, box.height) < LEAST_FACE_PX:
        return None
    visible = (eyes.right.visibility, eyes.left.visibility)
    looking = min(visible) >= SURE
    chances = {name: getattr(distraction, name) for name in ACTIVITIES} if distraction else {}
    return Label(
        "",
        by="engine",
        box=box,
        yawn=fatigue.yawn > SURE if fatigue else None,
        mouth_covered=fatigue.mouth_covered > SURE if fatigue else None,
        activity=tuple(name for name, chance in chances.items() if chance > SURE),
        head=(eyes.head.yaw_deg, eyes.head.pitch_deg, eyes.head.roll_deg),
        gaze=(eyes.gaze.yaw_deg, eyes.gaze.pitch_deg) if looking else (nan, nan),
        openness=(_share(eyes.right.openness), _share(eyes.left.openness)),
        visibility=(_share(visible[0]), _share(visible[1])),
        landmarks=_inside(eyes, width, height),
    )


def _share(value: float) -> float:
    return float(np.clip(value, 0, 1))


def _box(eyes: Eyes, width: int, height: int) -> Box:
    box = relative_box(known_box(eyes.landmarks)[None], BOX_ROUND_LANDMARKS)[0]
    return Box(*map(float, np.clip(box, 0, [width, height] * 2)))


def _inside(eyes: Eyes, width: int, height: int) -> Points:
    """The landmarks; those beyond the picture's edge are unknown."""
    points = eyes.landmarks
    inside = np.all((points >= 0) & (points <= [width, height]), axis=1)
    return np.where(inside[:, None], points, np.float32(nan))


def _existing(folder: Path) -> list[Label]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"cannot make the folder {folder}: {e.strerror}; give another one with --out") from e
    if (folder / notes.LABELS).is_file():
        return notes.read(folder)
    if strange := next((path.name for path in folder.iterdir() if not path.name.startswith(".")), None):
        raise InputError(
            f"{folder} holds {strange} but no {notes.LABELS}: give an empty or new folder, or one that "
            "`dms calibrate collect` wrote before"
        )
    return []


def _picture(folder: Path, label: Label) -> Luma:
    picture = cv2.imread(str(folder / label.path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise InputError(
            f"{folder / notes.LABELS}, line {label.line}: {label.path} is missing or no picture; take the "
            "line out, or copy the picture again"
        )
    return np.asarray(picture, np.uint8)


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0
