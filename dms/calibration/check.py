"""Whether a folder of pictures is representative: what it lacks, and which way it is one-sided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dms.calibration import RELEASE, coverage
from dms.calibration.coverage import FACETS, Counts, View
from dms.engines.limits import LEAST_IMAGES
from dms.errors import InputError
from dms.evaluation import folder as labelled
from dms.evaluation.inputs import decode
from dms.evaluation.labels import Label

ONE_SIDED = 0.9
"""Share of one bin from which a set is one-sided."""
SIDES = (("left", "far left"), ("right", "far right"))
MIXED = ("light", "yaw", "pitch", "eyes", "mouth")
"""Facets of which no bin may hold nearly all: the others are mostly one thing on any road."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a set shows and what is wrong with it.

    `one_sided` says which way it leans, `missing` what else it lacks: both make it unfit; `remarks` do not.
    """

    pictures: int
    count: int
    counts: Counts
    one_sided: tuple[str, ...]
    missing: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All that makes it unfit."""
        return self.one_sided + self.missing

    @property
    def fit(self) -> bool:
        """Whether it is representative enough for a release."""
        return not self.problems

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        wanted = coverage.wanted(self.count)
        return {
            "pictures": self.pictures,
            "asked_for": self.count,
            "fit": self.fit,
            "problems": list(self.problems),
            "remarks": list(self.remarks),
            "coverage": {
                facet: {name: {"have": have, "want": wanted[facet][name]} for name, have in bins.items()}
                for facet, bins in self.counts.items()
            },
        }


def check(folder: Path, count: int = RELEASE) -> tuple[Report, list[Label]]:
    """Look at a labelled folder as a set of `count` calibration pictures; its labels come along.

    Raises:
        InputError: it is no labelled folder, or a label or picture is wrong.
    """
    blobs, labels = labelled.pictures(folder)
    views = [coverage.view(label, decode(blob)) for blob, label in zip(blobs, labels, strict=True)]
    return judge(views, labels, count), labels


def judge(views: Sequence[View], labels: Sequence[Label], count: int = RELEASE) -> Report:
    """The report on pictures already sorted; `labels` tell who is in them."""
    counts = coverage.tally(views)
    one_sided = (*_one_person(labels), *_one_sided(counts))
    missing = (*_size(len(views), count), *_nobody(labels), *_gaps(counts, count))
    return Report(len(views), count, counts, one_sided, missing, tuple(_remarks(labels)))


def require_balanced(data: Path, allow_one_sided: bool = False) -> tuple[str, ...]:
    """Refuse a labelled folder that is no base for ranges; tell what it lacks otherwise.

    Args:
        data: a labelled folder is looked at; a pack, which is trained on, is not.
        allow_one_sided: take one that leans one way all the same.

    Returns:
        Its problems, a line each, to be told.

    Raises:
        InputError: fewer than 64 pictures, or one-sided, and which way; or it cannot be read.
    """
    if not labelled.is_labelled(data):
        return ()
    report, _ = check(data)
    if report.pictures < LEAST_IMAGES:
        raise InputError(
            f"{data} holds {report.pictures} pictures: ranges from fewer than {LEAST_IMAGES} are refused, "
            f"{RELEASE} are good; go on with `dms calibrate collect --out {data}`"
        )
    if report.one_sided and not allow_one_sided:
        raise InputError(
            f"{data} is {'; '.join(report.one_sided)}. Ranges from it would fit these pictures alone: "
            f"collect others (`dms calibrate check {data}` says which), or take it with --allow-one-sided"
        )
    return report.problems


def to_text(report: Report) -> str:
    """The report for a person: the table of bins, then what is wrong."""
    wanted = coverage.wanted(report.count)
    lines = [f"{'':2}{'facet':10}{'pictures that show':62}{'have':>6}{'want':>6}"]
    for facet, bins in FACETS.items():
        for name, kind in bins.items():
            have, want = report.counts[facet][name], wanted[facet][name]
            mark = " " if have >= want else "!"
            lines.append(f"{mark:2}{facet:10}{kind.shows:62}{have:6}{want or '–':>6}")
    lines.append(f"{report.pictures} pictures of {report.count}")
    lines += [f"problem: {text}" for text in report.problems] + [f"note: {text}" for text in report.remarks]
    return "\n".join(lines)


def _size(pictures: int, count: int) -> list[str]:
    if pictures < LEAST_IMAGES:
        return [f"too small: {pictures} pictures; ranges from fewer than {LEAST_IMAGES} are refused"]
    if pictures < count:
        aim = "a release" if count >= RELEASE else "what was asked"
        return [f"too small for {aim}: {pictures} of {count} pictures"]
    return []


def _one_person(labels: Sequence[Label]) -> list[str]:
    people = {label.person for label in labels if label.face}
    if len(people) == 1 and "" not in people:
        return [f"one-sided: every face is that of one person ({people.pop()}); collect other drivers too"]
    return []


def _nobody(labels: Sequence[Label]) -> list[str]:
    """What cannot be known of a set whose faces have no name."""
    faces = [label for label in labels if label.face]
    if not faces or any(label.person for label in faces):
        return []
    return [
        "nobody is told apart, it may be one person: fill in the column person (collect with --person CODE)"
    ]


def _one_sided(counts: Counts) -> list[str]:
    """Which way a set leans: nearly all in one bin, or turned to one side only."""
    found = []
    for facet in MIXED:
        bins = counts[facet]
        total = sum(bins.values())
        if total < 2:
            continue
        name, most = max(bins.items(), key=lambda item: item[1])
        if most >= ONE_SIDED * total:
            found.append(f"one-sided in {facet}: {most / total:.0%} are {FACETS[facet][name].shows}")
    left, right = (sum(counts["yaw"][name] for name in side) for side in SIDES)
    for this, other, side in ((left, right, "left"), (right, left, "right")):
        if this and this >= ONE_SIDED * (this + other):
            found.append(
                f"one-sided in yaw: {this} faces are turned to the picture's {side}, {other} the other way"
            )
    return found


def _gaps(counts: Counts, count: int) -> list[str]:
    found = []
    for (facet, name), missing in coverage.lacking(counts, count).items():
        shows, have = FACETS[facet][name].shows, counts[facet][name]
        found.append(f"no {shows}" if not have else f"too few {shows}: {have}, {missing} more are wanted")
    return found


def _remarks(labels: Sequence[Label]) -> list[str]:
    """What no engine sees, and so has to be said."""
    remarks = []
    faces = [label for label in labels if label.face]
    if faces and not any(label.glasses for label in faces):
        remarks.append(
            "nothing says who wears glasses: no engine sees clear ones; collect with --glasses none, clear "
            "and dark"
        )
    if faces and all(label.infrared is None for label in faces):
        remarks.append(
            "nothing says which pictures are infrared: collect with --infrared or --no-infrared; a camera "
            "that switches needs both"
        )
    elif faces and len({label.infrared for label in faces} - {None}) == 1:
        kind = "infrared" if any(label.infrared for label in faces) else "in visible light"
        remarks.append(f"all pictures are {kind}: right for a camera that has nothing else")
    return remarks
