"""What each metric is called for a person, its unit, and the target it must reach in INT8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dms.engines.manifest import INT8_FORMS
from dms.evaluation.bootstrap import Estimate


@dataclass(frozen=True)
class Entry:
    """One metric: `better` is +1 where more is better, -1 where less is; `target` in the unit shown.

    `teacher` tells who labelled the data pack; pictures of a user's own have no teacher.
    """

    label: str
    unit: str = "%"
    better: int = 1
    target: float | None = None
    teacher: str = ""

    def title(self, own: bool = False) -> str:
        """Label, teacher (not of a user's `own` pictures) and unit."""
        label = f"{self.label}, {self.teacher}" if self.teacher and not own else self.label
        return f"{label} [{self.unit}]" if self.unit else label

    def shown(self, value: float) -> float:
        """The value in the unit shown."""
        return 100 * value if self.unit == "%" else value

    def reaches(self, value: float) -> bool:
        """Whether a value reaches the target, which there must be."""
        assert self.target is not None
        return self.better * self.shown(value) >= self.better * self.target - 1e-9


COMMON: dict[str, Entry] = {
    "loss_points": Entry("lost against FP32 on the first metric", "points", -1, 0.3),
    "megabytes": Entry("file", "MB", -1, 2.0),
    "ms_ort": Entry("one image, ONNX Runtime, one thread", "ms", -1),
    "ms_openvino": Entry("one image, OpenVINO, one thread", "ms", -1),
    "speed_up_ort": Entry("faster than FP32, ONNX Runtime; in brackets lowest and highest repeat", "x"),
    "speed_up_openvino": Entry("faster than FP32, OpenVINO; in brackets lowest and highest repeat", "x"),
}
CATALOGUE: dict[str, dict[str, Entry]] = {
    "face": {
        "recall_drivers": Entry("drivers found in cars (IoU 0.5, the run time's score)", target=99.5),
        "recall_drivers_at_60": Entry("the same at score 0.6"),
        "recall_in_car": Entry("all faces in cars, passengers too"),
        "recall_pictures": Entry("largest face of every picture, in cars or not"),
        "recall_turned": Entry("faces turned by about 60°"),
        "recall_small": Entry("drivers 5 % of the frame wide"),
        "false_per_500_negatives": Entry(
            "false faces per 500 pictures without one (whole and in quarters)", "", -1, 1.0
        ),
        "false_per_500_negatives_at_60": Entry("the same at score 0.6", "", -1),
        "false_per_500_windows": Entry("false faces per 500 faceless windows", "", -1),
        "false_per_500_windows_at_60": Entry("the same windows at score 0.6", "", -1),
    },
    "eyes": {
        "nme_mesh": Entry("landmark error over outer-eye distance", "%", -1, 2.6, "mesh teacher"),
        "nme_mesh_median": Entry("the same, median face", "%", -1),
        "nme_hand": Entry("the same at 7 points labelled by hand", "%", -1),
        "nme_hand_median": Entry("by hand, median face", "%", -1, 4.2),
        "nme_sim": Entry("the same, simulated truth", "%", -1),
        "open_closed_accuracy": Entry("open or closed, accuracy", target=97.0),
        "open_closed_auc": Entry("open or closed, AUC", target=99.0),
        "open_closed_accuracy_labelled": Entry("the same, faces labelled by their source, accuracy"),
        "open_closed_auc_labelled": Entry("the same, faces labelled by their source, AUC"),
        "closed_against_down_auc": Entry("closed against looking down, AUC"),
        "closed_against_narrow_auc": Entry("closed against narrow, AUC"),
        "openness_error": Entry("lid opening error", "%", -1, teacher="teachers"),
        "openness_error_sim": Entry("lid opening error, simulated truth", "%", -1),
        "head_sim": Entry("head pose error, simulated truth, mean of three angles", "°", -1, 3.0),
        "head_yaw_sim": Entry("head yaw, simulated", "°", -1),
        "head_pitch_sim": Entry("head pitch, simulated", "°", -1),
        "head_roll_sim": Entry("head roll, simulated", "°", -1),
        "gaze_sim": Entry("gaze error, simulated truth, mean of two angles", "°", -1, 5.0),
        "gaze_yaw_sim": Entry("gaze yaw, simulated", "°", -1),
        "gaze_pitch_sim": Entry("gaze pitch, simulated", "°", -1),
        "head_teacher": Entry("head pose error, mean of three angles", "°", -1, teacher="teachers"),
        "head_yaw_teacher": Entry("head yaw", "°", -1, 3.5, "teachers"),
        "head_pitch_teacher": Entry("head pitch", "°", -1, teacher="teachers"),
        "head_roll_teacher": Entry("head roll", "°", -1, teacher="teachers"),
        "gaze_teacher": Entry("gaze error, mean of two angles", "°", -1, teacher="a noisy teacher"),
        "gaze_yaw_teacher": Entry("gaze yaw", "°", -1, teacher="noisy teacher"),
        "gaze_pitch_teacher": Entry("gaze pitch", "°", -1, teacher="noisy teacher"),
        "presence_of_faces": Entry("faces accepted as present"),
        "visibility_auc": Entry("visible or hidden eyes, AUC"),
        "hidden_claimed": Entry("hidden eyes judged nevertheless", "%", -1),
        "visible_claimed": Entry("visible eyes judged"),
        "wrong_when_claimed": Entry("judged eyes whose opening is off by more than half", "%", -1),
    },
    "fatigue": {
        "state_auc": Entry("closed eyes and yawns, mean AUC"),
        "yawn_auc_in_car": Entry("yawn, in cars, AUC", target=99.5),
        "closed_auc": Entry("closed eyes, AUC", target=99.0),
        "yawn_accuracy_in_car": Entry("yawn, in cars, accuracy"),
        "closed_accuracy": Entry("closed eyes, accuracy"),
        "closed_auc_labelled": Entry("closed eyes, faces labelled by their source, AUC"),
        "closed_accuracy_labelled": Entry("closed eyes, faces labelled by their source, accuracy"),
        "closed_against_down_auc": Entry("closed against looking down, AUC"),
        "closed_against_narrow_auc": Entry("closed against narrow, AUC"),
        "closed_right_auc": Entry("closed right eye, AUC", teacher="teacher"),
        "closed_left_auc": Entry("closed left eye, AUC", teacher="teacher"),
        "yawn_auc": Entry("yawn, all sets, AUC"),
        "mouth_covered_auc": Entry("covered mouth, AUC"),
        "squint_auc": Entry("squint, AUC", teacher="teacher"),
        "closed_right_auc_sim": Entry("closed right eye, simulated truth, AUC"),
        "closed_left_auc_sim": Entry("closed left eye, simulated truth, AUC"),
        "yawn_auc_sim": Entry("yawn, simulated truth, AUC"),
    },
    "distraction": {
        "balanced_accuracy": Entry("balanced accuracy over the classes", target=92.0),
        "activity_auc": Entry("each class against the others, mean AUC"),
        "phone_recall_at_1pct_false": Entry("phones found at 1 % false alarms", target=90.0),
        "phone_recall": Entry("phones found at score 0.5"),
        "false_phones": Entry("phoneless drivers called a phone at score 0.5", "%", -1),
        "phone_auc": Entry("phone or none, AUC"),
        "recall_phone_at_ear": Entry("recall, phone at ear"),
        "recall_phone_in_hand": Entry("recall, phone in hand"),
        "recall_eating_drinking": Entry("recall, eating or drinking"),
        "recall_smoking": Entry("recall, smoking"),
        "recall_hand_on_face": Entry("recall, hand on face"),
        "recall_none": Entry("recall, none of these"),
    },
}
SPEED_UP_TARGET = 2.5
"""INT8 over FP32, the mean of all four engines on a runtime."""
ORDER = ("fp32", "fp16", "cpu.int8", "trt.int8")
"""Precisions in the order of the tables; others follow."""


def entry(net: str, metric: str) -> Entry:
    """The catalogue's entry; an unknown metric is shown by its own name."""
    return CATALOGUE.get(net, {}).get(metric) or COMMON.get(metric) or Entry(metric, "")


def ordered(by_precision: Mapping[str, object]) -> list[str]:
    """Precisions from the most exact to the smallest."""
    known = [p for p in ORDER if p in by_precision]
    return known + sorted(set(by_precision) - set(known))


def metrics_of(net: str, by_precision: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    """All metrics of a net that were measured, in the catalogue's order."""
    found = {name for scores in by_precision.values() for name in scores}
    known = [*CATALOGUE.get(net, {}), *COMMON]
    return [m for m in known if m in found] + sorted(found - set(known))


def judged_by(by_precision: Mapping[str, object], backend: str) -> str:
    """The precision targets are meant for: the runtime's INT8 where it was measured, else the last."""
    meant = INT8_FORMS[backend]
    return meant if meant in by_precision else ordered(by_precision)[-1]


def number(value: float, unit: str) -> str:
    """A value with as many digits as it deserves; a dash for the unknown."""
    if value != value:
        return "–"
    digits = {"%": 1, "°": 1, "ms": 2, "MB": 2, "points": 2, "x": 2, "": 1}.get(unit, 3)
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no minus before a zero


def cell(of: Entry, estimate: Estimate | None, interval: bool = True) -> str:
    """`97.7 (93.2–100.0)` in the unit shown."""
    if estimate is None:
        return "–"
    text = number(of.shown(estimate.value), of.unit)
    if not interval or estimate.low != estimate.low:
        return text
    low, high = (number(of.shown(v), of.unit) for v in (estimate.low, estimate.high))
    return f"{text} ({low} to {high})"


def target_cell(of: Entry) -> str:
    """`≥ 99.5`, or nothing."""
    if of.target is None:
        return ""
    return f"{'≥' if of.better > 0 else '≤'} {of.target:g}"


def verdict(of: Entry, estimate: Estimate | None) -> str:
    """`met` or `missed`; `undecided` where the interval spans the target; nothing where there is no target.

    A value that was counted, like a file's size, has no interval and needs none. One that was sampled from
    too few people for an interval decides nothing.
    """
    if of.target is None or estimate is None or estimate.value != estimate.value:
        return ""
    if estimate.low != estimate.low:
        ends = {of.reaches(estimate.value)} if estimate.n == 0 else {True, False}
    else:
        ends = {of.reaches(v) for v in (estimate.low, estimate.value, estimate.high)}
    return "undecided" if len(ends) == 2 else "met" if ends == {True} else "missed"
