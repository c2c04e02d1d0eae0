"""How far each engine holds when the cabin is unkind: conditions drawn into pictures, groups, angles."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dms.engines.contract import CONTRACTS
from dms.evaluation import bootstrap, eyes_metrics, face_metrics, state_metrics
from dms.evaluation.bootstrap import Estimate
from dms.evaluation.catalogue import Entry
from dms.evaluation.conditions import CONDITIONS, WIDTHS, Condition
from dms.evaluation.groups import Group, by_group, of_images
from dms.evaluation.inputs import crop_inputs, decode
from dms.evaluation.measure import Infer, measurable
from dms.evaluation.metrics import Array, Figures, is_own
from dms.evaluation.pack import Pack

PORTRAITS = "lfw_grey"
"""Press portraits, 40 % of the pictures and no cabin: one of three is measured under conditions."""
KEEP_OF_PORTRAITS = 3


@dataclass(frozen=True)
class Column:
    """A metric of the robustness tables.

    `needs` must not be hidden for it to mean anything; in the groups `wanted` a bad value is what is wanted.
    """

    entry: Entry
    needs: str = ""
    wanted: frozenset[str] = frozenset()


COLUMNS: dict[str, dict[str, Column]] = {
    "face": {"recall_drivers": Column(Entry("drivers found"))},
    "eyes": {
        "nme_mesh": Column(Entry("landmark error", better=-1)),
        "head_yaw_teacher": Column(Entry("head yaw error", "°", -1)),
        "openness_error": Column(Entry("lid opening error", better=-1), "eyes"),
        "gaze_teacher": Column(Entry("gaze error", "°", -1, teacher="noisy teacher"), "eyes"),
        "claimed": Column(Entry("eyes judged"), wanted=frozenset({"yaw about 60°", "dark glasses"})),
        "claimed_wrong": Column(Entry("eyes judged and far off", better=-1)),
    },
    "fatigue": {
        "closed_auc_teacher": Column(Entry("closed eyes, AUC", teacher="teacher"), "eyes"),
        "yawn_auc": Column(Entry("yawn, AUC"), "mouth"),
        "mouth_covered": Column(Entry("mouth called covered", better=-1), wanted=frozenset({"mask"})),
    },
    "distraction": {
        "balanced_accuracy": Column(Entry("balanced accuracy")),
        "phone_recall": Column(Entry("phones found at 0.5")),
        "false_phones": Column(Entry("false phones", better=-1)),
    },
}
GROUPED = {
    "face": "recall_drivers",
    "eyes": "nme_mesh",
    "fatigue": "closed_auc_teacher",
    "distraction": "false_phones",
}
"""The metric told for each group: the one with enough labels everywhere."""


@dataclass(frozen=True)
class Robustness:
    """`cells[net][condition][metric]` and, for pictures as they are, the groups of each net's metrics.

    `changed[net][condition]` is the share of the net's pictures that the condition changed at all; `own` says
    whether they are a user's.
    """

    cells: dict[str, dict[str, dict[str, Estimate]]]
    changed: dict[str, dict[str, float]]
    groups: dict[str, dict[str, list[Group]]]
    own: bool = False


def measure(
    pack: Pack, infers: Mapping[str, Infer], told: Callable[[str], None] = lambda step: None
) -> Robustness:
    """Measure engines under all conditions, and as they are by group.

    Args:
        pack: labelled pictures.
        infers: the engines, by net; must be safe to call from several threads.
        told: hears what is done.
    """
    nets = [net for net in measurable(pack) if net in infers]
    population = _population(pack)
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        rows = list(pool.map(lambda c: _under(c, population, nets, infers, told), CONDITIONS))
    named = list(zip(CONDITIONS, rows, strict=True))
    cells = {net: {c.name: row[net][0] for c, row in named} for net in nets}
    changed = {net: {c.name: row[net][1] for c, row in named} for net in nets}
    told("groups")
    return Robustness(cells, changed, {net: _groups(net, pack, infers[net]) for net in nets}, is_own(pack))


def _population(pack: Pack) -> Pack:
    """The pack with only those rows held out that conditions can be drawn on: photographs of meshed faces."""
    eyes = pack.tables["eyes"]
    drawable = np.unique(eyes["image"][eyes["val"] & ~eyes["simulated"] & eyes["mesh"]])
    sets = pack.tables["images"]["set"][drawable]
    portraits = drawable[sets == PORTRAITS]
    drawable = np.concatenate([drawable[sets != PORTRAITS], portraits[::KEEP_OF_PORTRAITS]])
    tables = dict(pack.tables)
    for net in CONTRACTS:
        table = tables[net]
        tables[net] = table | {"val": table["val"] & np.isin(table["image"], drawable)}
    return replace(pack, tables=tables)


def _under(
    condition: Condition,
    pack: Pack,
    nets: Sequence[str],
    infers: Mapping[str, Infer],
    told: Callable[[str], None],
) -> dict[str, tuple[dict[str, Estimate], float]]:
    """The figures of each net and the share of its pictures that changed."""
    told(condition.label)
    other, touched = changed_pack(pack, condition)
    result = {}
    for net in nets:
        figures = figures_of(net, other, infers[net], WIDTHS.get(condition.name))
        placed = net == "face" and condition.name in WIDTHS
        share = 1.0 if placed else float(touched[_images_of(net, pack)].mean())
        cells = {
            name: bootstrap.estimate(figures[name])
            for name, column in COLUMNS[net].items()
            if column.needs not in condition.hides
        }
        result[net] = cells, share
    return result


def changed_pack(pack: Pack, condition: Condition) -> tuple[Pack, Array]:
    """The pack with the condition drawn into every held-out photograph, and which pictures it changed.

    The same each time. A face smaller in its picture than the size asked for stays as it is.
    """
    eyes = pack.tables["eyes"]
    held = {int(i) for net in CONTRACTS for i in _held(pack, net)}
    blobs, touched = list(pack.blobs), np.zeros(len(pack.blobs), bool)
    by_image: dict[int, list[Array]] = {}
    for row in np.flatnonzero(eyes["val"] & eyes["mesh"]):
        by_image.setdefault(int(eyes["image"][row]), []).append(eyes["landmarks"][row])
    for image in held:
        faces = np.array(by_image.get(image, []), np.float32).reshape(-1, 60, 2)
        before = decode(blobs[image])
        picture = condition.change(before.copy(), faces, np.random.default_rng(image))
        touched[image] = not np.array_equal(before, picture)
        blobs[image] = cv2.imencode(".bmp", picture)[1].tobytes()
    return Pack(blobs, pack.tables), touched


def _held(pack: Pack, net: str) -> Array:
    return np.asarray(pack.tables[net]["image"][pack.tables[net]["val"]])


def figures_of(net: str, pack: Pack, infer: Infer, width_share: float | None = None) -> Figures:
    """The figures of `COLUMNS`, of all held-out rows of a net."""
    if net == "face":
        return _face(pack, infer, width_share)
    rows = np.flatnonzero(pack.tables[net]["val"])
    out = infer(crop_inputs(net, pack, rows))
    if net == "eyes":
        return _eyes(eyes_metrics.look(out, pack, rows))
    if net == "fatigue":
        figures = state_metrics.fatigue(out, pack, rows)
        closed = bootstrap.average_of([figures["closed_right_auc"], figures["closed_left_auc"]])
        covered = bootstrap.mean(figures["yawn_auc"].people, out["state"][:, 3] > 0.5)
        return figures | {"closed_auc_teacher": closed, "mouth_covered": covered}
    return state_metrics.distraction(out, pack, rows)


def _face(pack: Pack, infer: Infer, width_share: float | None) -> Figures:
    rows = face_metrics.driver_rows(pack)
    if width_share is None:
        frames = face_metrics.frames_of(pack, rows)
    else:
        frames = face_metrics.placed_frames(pack, rows, width_share)
    found = face_metrics.found_faces(infer(frames.images), frames.fits)
    hit = face_metrics.hits(found, frames.boxes, face_metrics.largest(frames.boxes, frames.use))
    return {"recall_drivers": bootstrap.mean(frames.people, hit)}


def _eyes(seen: eyes_metrics.Seen) -> Figures:
    wrong = np.abs(seen.out["openness"] - seen.table["openness"]) > eyes_metrics.WRONG_BY
    known = seen.table["openness_w"] > eyes_metrics.DOUBTED
    return eyes_metrics.figures(seen) | {
        "claimed": bootstrap.mean(seen.people, seen.claimed, known),
        "claimed_wrong": bootstrap.mean(seen.people, seen.claimed & wrong, known),
    }


def _groups(net: str, pack: Pack, infer: Infer) -> dict[str, list[Group]]:
    """Groups over all held-out photographs and, for what only the simulated driver knows, angles."""
    figures = figures_of(net, pack, infer)
    images = _images_of(net, pack)
    groups = of_images(pack, images)
    found = {name: by_group(figures[name], groups) for name in COLUMNS[net] if name in figures}
    if net == "eyes":
        only_yaw = {"yaw": groups["yaw"]}
        found |= {name: by_group(figures[name], only_yaw) for name in ("nme_sim", "head_sim", "gaze_sim")}
    return found


def _images_of(net: str, pack: Pack) -> Array:
    if net == "face":
        return np.asarray(pack.tables["face"]["image"][face_metrics.driver_rows(pack)])
    return _held(pack, net)
