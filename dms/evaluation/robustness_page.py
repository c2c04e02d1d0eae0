"""The robustness tables as Markdown: conditions, face sizes, angles, groups and the worst of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dms.evaluation.catalogue import Entry, cell, entry
from dms.evaluation.conditions import CONDITIONS
from dms.evaluation.groups import MIN_ITEMS, MIN_PEOPLE, Group, worst
from dms.evaluation.report import markdown_table, plain
from dms.evaluation.robustness import COLUMNS, GROUPED, Robustness

HEAD = """# Robustness

The {precision} engines on held-out photographs, as they are and with one condition drawn into each. In
brackets: the 95 % interval over people. Written by `dms evaluate --robustness --publish`.

Glasses, mask, cap and hand are drawn by the landmarks (`dms/evaluation/worn.py`), light, lens and sensor are
imitated (`dms/evaluation/conditions.py`): they show where an engine breaks, not how often a real cabin is so.
A dash stands where the condition hides what would be judged, and where it leaves more than half of the
pictures as they are (a face that is small already cannot be brought nearer); "changed" is the share it
touches. "Eyes judged" is the share of eyes the run time would believe (seen, and certain enough): it should
fall to nothing behind sunglasses or a hand, and "judged and far off" must stay near 0. Of the press portraits
one in three is used here. `face`: drivers in cars only; face sizes are placed in the frame. For the other
engines a face size means the detail that is left. Groups are told from {items} labels of {people} people on;
glasses, beard, headwear and skin were judged by eye. The worst group is named without those in which it
should be so: eyes turned away or behind dark glasses are not judged, covered mouths are called covered.
{data}
"""
LEAST_CHANGED = 0.5
"""Below this share of changed pictures a condition says nothing."""
ONLY_SIMULATED = ("nme_sim", "head_sim", "gaze_sim")


def markdown(found: Robustness, precision: str, data: str = "") -> str:
    """The whole page; `data` is a sentence on the pictures."""
    head = HEAD.format(precision=precision.upper(), items=MIN_ITEMS, people=MIN_PEOPLE, data=data)
    lines = [head.rstrip() + "\n"]
    for net in found.cells:
        lines += [f"## {net}", "", *conditions_table(net, found), ""]
        lines += groups_tables(net, found.groups[net], found.own)
    return "\n".join(lines).rstrip() + "\n"


def to_dict(found: Robustness) -> dict[str, Any]:
    """Plain values for JSON; null is unknown."""
    conditions = {
        net: {c: {m: plain(e) for m, e in row.items()} for c, row in cells.items()}
        for net, cells in found.cells.items()
    }
    groups = {
        net: {
            m: [{"kind": g.kind, "name": g.name, "people": g.people, **plain(g.estimate)} for g in each]
            for m, each in by_metric.items()
        }
        for net, by_metric in found.groups.items()
    }
    return {"conditions": conditions, "changed": found.changed, "groups": groups}


def conditions_table(net: str, found: Robustness) -> list[str]:
    """One row a condition, one column a metric."""
    columns = {m: c.entry for m, c in COLUMNS[net].items()}
    body = []
    for c in CONDITIONS:
        share, as_is = found.changed[net][c.name], c is CONDITIONS[0]
        known = found.cells[net][c.name] if as_is or share >= LEAST_CHANGED else {}
        cells = [cell(of, known.get(metric)) for metric, of in columns.items()]
        body.append([c.label, "–" if as_is else f"{100 * share:.0f}", *cells])
    titles = [of.title(found.own) for of in columns.values()]
    return markdown_table(["condition", "changed [%]", *titles], body)


def groups_tables(net: str, groups: Mapping[str, Sequence[Group]], own: bool = False) -> list[str]:
    """The groups of the pictures as they are, the worst of each metric, and the simulated driver's."""
    columns = {m: c.entry for m, c in COLUMNS[net].items() if groups.get(m)}
    if not columns:
        return []
    lines = [
        "As they are, by group:",
        "",
        *group_table(columns, groups, own),
        "",
        *worst_lines(net, columns, groups, own),
        "",
    ]
    simulated = {m: entry(net, m) for m in ONLY_SIMULATED if groups.get(m)}
    if simulated:
        lines += [
            "The simulated driver's exact truth, by its angle:",
            "",
            *group_table(simulated, groups, own),
            "",
        ]
    return lines


def group_table(
    columns: Mapping[str, Entry], groups: Mapping[str, Sequence[Group]], own: bool = False
) -> list[str]:
    """One row a group, one column a metric; `people` are those of the first metric known there."""
    found = {metric: {(g.kind, g.name): g for g in groups[metric]} for metric in columns}
    keys = list(dict.fromkeys(key for by_key in found.values() for key in by_key))
    kinds = list(dict.fromkeys(kind for kind, _ in keys))
    keys.sort(key=lambda key: kinds.index(key[0]))
    body = []
    for key in keys:
        each = [found[metric].get(key) for metric in columns]
        people = max(g.people for g in each if g)
        cells = [cell(of, g.estimate if g else None) for of, g in zip(columns.values(), each, strict=True)]
        body.append([key[0].replace("_", " "), key[1], str(people), *cells])
    return markdown_table(["", "group", "people", *(of.title(own) for of in columns.values())], body)


def worst_lines(
    net: str, columns: Mapping[str, Entry], groups: Mapping[str, Sequence[Group]], own: bool = False
) -> list[str]:
    """`worst, landmark error [%]: har 4.8 (…)`; never a group in which a bad value is what is wanted."""
    lines = []
    for metric, of in columns.items():
        group = worst([g for g in groups[metric] if g.name not in COLUMNS[net][metric].wanted], of.better)
        if group is not None:
            lines.append(f"* worst, {of.title(own)}: {group.name} {cell(of, group.estimate)}")
    return lines


def card_lines(net: str, groups: Mapping[str, Sequence[Group]]) -> list[str]:
    """For a card: the metric told by group, and the worst group."""
    metric = GROUPED[net]
    of = COLUMNS[net][metric].entry
    if not groups.get(metric):
        return []
    table = group_table({metric: of}, groups)
    return [
        "",
        f"By group, INT8, pictures as they are: {of.title()}.",
        "",
        *table,
        "",
        *worst_lines(net, {metric: of}, groups),
    ]
