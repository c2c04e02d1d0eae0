"""The figures of the `fatigue` and `distraction` engines: states of lids and mouth, activities, phones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dms.engines.contract import ACTIVITIES, FATIGUE_STATES
from dms.evaluation import bootstrap
from dms.evaluation.inputs import crop_inputs
from dms.evaluation.lids import eye_labels, lid_figures
from dms.evaluation.metrics import Array, Figures, Infer, Outputs, people, set_names
from dms.evaluation.pack import Pack

YAWN_SET = "yawdd_stills"
"""In-car yawns and talk: the set the yawn target is meant for (the data pack's README)."""
PHONES = 2
"""The first two activities are phones."""


def prepare(
    net: str, score: Callable[[Outputs, Pack, Array], Figures]
) -> Callable[[Pack], Callable[[Infer], Figures]]:
    """Inputs cut once; the figures of any model on them."""

    def prepared(pack: Pack) -> Callable[[Infer], Figures]:
        rows = np.flatnonzero(pack.tables[net]["val"])
        images = crop_inputs(net, pack, rows)
        return lambda infer: score(infer(images), pack, rows)

    return prepared


def fatigue(out: Outputs, pack: Pack, rows: Array) -> Figures:
    """Areas under the curves of the states, and the plain accuracies at one half."""
    table = {name: column[rows] for name, column in pack.tables["fatigue"].items()}
    whose, sets = people(pack, table["image"]), set_names(pack, table["image"])
    state, truth, known = out["state"], table["state"] > 0.5, table["state_w"] > 0
    real = ~table["simulated"]
    in_car = sets == YAWN_SET if (sets == YAWN_SET).any() else real
    yawn = in_car & known[:, 2]
    lids = lid_figures("closed", whose, state[:, :2].mean(axis=1), eye_labels(pack, table))
    yawn_auc = bootstrap.auc(whose, state[:, 2], truth[:, 2], yawn)
    figures: Figures = {
        "state_auc": bootstrap.average_of([lids["closed_auc"], yawn_auc]),
        "yawn_auc_in_car": yawn_auc,
        "yawn_accuracy_in_car": bootstrap.mean(whose, (state[:, 2] > 0.5) == truth[:, 2], yawn),
        **lids,
    }
    for k, name in enumerate(FATIGUE_STATES):
        figures[f"{name}_auc"] = bootstrap.auc(whose, state[:, k], truth[:, k], real & known[:, k])
    for k, name in enumerate(FATIGUE_STATES[:3]):
        use = table["simulated"] & known[:, k]
        figures[f"{name}_auc_sim"] = bootstrap.auc(whose, state[:, k], truth[:, k], use)
    return figures


def distraction(out: Outputs, pack: Pack, rows: Array) -> Figures:
    """Balanced accuracy over the classes, phones found at 1 % false alarms."""
    table = {name: column[rows] for name, column in pack.tables["distraction"].items()}
    whose, real = people(pack, table["image"]), ~table["simulated"]
    activity, allowed = out["activity"], table["allowed"]
    single = (allowed.sum(axis=1) == 1) & real
    truth, guess = allowed.argmax(axis=1), activity.argmax(axis=1)
    recalls = {
        f"recall_{name}": bootstrap.mean(whose, guess == k, single & (truth == k))
        for k, name in enumerate(ACTIVITIES)
        if (single & (truth == k)).any()
    }
    areas = [
        bootstrap.auc(whose, activity[:, k], single & (truth == k), single)
        for k in range(len(ACTIVITIES))
        if (single & (truth == k)).any()
    ]
    phone = activity[:, :PHONES].sum(axis=1)
    none = (allowed[:, :PHONES].sum(axis=1) == 0) & real & (allowed.sum(axis=1) > 0)
    held = (allowed[:, PHONES:].sum(axis=1) == 0) & real & (allowed.sum(axis=1) > 0)
    return {
        "balanced_accuracy": bootstrap.average_of(list(recalls.values())),
        "activity_auc": bootstrap.average_of(areas),
        "phone_recall_at_1pct_false": bootstrap.recall_at_false(whose, phone, held, none, 0.01),
        "phone_recall": bootstrap.mean(whose, phone > 0.5, held),
        "false_phones": bootstrap.mean(whose, phone > 0.5, none),
        "phone_auc": bootstrap.auc(whose, phone, held, none | held),
        **recalls,
    }
