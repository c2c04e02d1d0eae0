"""What lies in the engines' folder, as Markdown: the README's table and those of `docs/quantization.md`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dms.backends import BACKENDS
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import PRECISIONS, DataNote, Manifest, load_manifest
from dms.engines.swept import load_sensitivity
from dms.errors import InputError
from dms.files import with_section, write_atomically

Label = Callable[[str, str], str]
"""What a metric of a net is called for a reader: (net, metric) -> words."""


def rows(
    engines: Path, primary: Mapping[str, str], label: Label = lambda net, metric: metric
) -> list[dict[str, Any]]:
    """A row an artefact: what was measured on that very file, and nothing else.

    Figures that were published for a file of another hash are left out; where an engine has none, the values
    are those of its proofs.

    Args:
        engines: the folder of the engines, with `metrics.json` where one was published.
        primary: the metric that is shown of each net.
        label: what metrics are called.

    Returns:
        engine, precision, file, metric, label, value, low, high, data (name of the set), loss_metric,
        loss_label, loss_points and loss_data by runtime, megabytes, ms by runtime.
    """
    published = Published.read(engines)
    found = []
    for net in CONTRACTS:
        note = load_manifest(engines / net)
        figures = {p: published.figures(note, p) for p in note.files}
        known = any(figures.values())
        for precision in (*PRECISIONS, *(p for p in note.files if p not in PRECISIONS)):
            if precision in note.files:
                value = figures[precision].get(primary[net], {}) if known else {}
                if value:
                    value = {**value, "data": published.data}
                elif not known:
                    value = _proved(note, precision, primary[net])
                found.append(_row(note, precision, primary[net], label, value, figures[precision]))
    return found


@dataclass(frozen=True)
class Published:
    """`metrics.json`: figures by net, precision and metric, the hashes of their files, the data's name."""

    by_net: Mapping[str, Any]
    hashes: Mapping[str, Any]
    data: str

    @classmethod
    def read(cls, engines: Path) -> Published:
        """What was published; nothing where the file is missing or of another form."""
        found = _json(engines / "metrics.json")
        try:
            data = DataNote.model_validate(found.get("data"))
        except ValidationError:
            return cls({}, {}, "")
        return cls(found.get("engines", {}), found.get("files", {}), str(data))

    def figures(self, note: Manifest, precision: str) -> Mapping[str, Any]:
        """The figures of a file; none where they were measured on a file of another hash."""
        if self.hashes.get(note.net, {}).get(precision) != note.files[precision].sha256:
            return {}
        found: Mapping[str, Any] = self.by_net.get(note.net, {}).get(precision, {})
        return found


def _row(
    note: Manifest,
    precision: str,
    metric: str,
    label: Label,
    value: Mapping[str, Any],
    figures: Mapping[str, Any],
) -> dict[str, Any]:
    proofs = note.proofs.get(precision, {})
    gating = next((proof.metric for proof in proofs.values()), metric)
    return {
        "engine": note.net,
        "precision": precision,
        "file": note.files[precision].path,
        "metric": metric,
        "label": label(note.net, metric),
        **{name: value.get(name) for name in ("value", "low", "high", "data")},
        "loss_metric": gating,
        "loss_label": label(note.net, gating),
        "loss_points": {name: proof.loss_points for name, proof in proofs.items()},
        "loss_data": {name: str(proof.data) for name, proof in proofs.items()},
        "megabytes": note.files[precision].bytes / 1e6,
        "ms": _speeds(note, precision, figures),
    }


def _speeds(note: Manifest, precision: str, figures: Mapping[str, Any]) -> dict[str, float]:
    """Milliseconds by runtime: those of `verify --measure`, else those that were published."""
    published = {name: figures.get(f"ms_{name}", {}).get("value") for name in BACKENDS}
    measured = {name: table[precision] for name, table in note.speed_ms.items() if precision in table}
    return {name: ms for name, ms in published.items() if ms is not None} | measured


def _proved(note: Manifest, precision: str, metric: str) -> dict[str, Any]:
    """The metric as `verify` found it."""
    every = [proof for by in note.proofs.values() for proof in by.values()]
    own = every if precision == "fp32" else list(note.proofs.get(precision, {}).values())
    for proof in own:
        if proof.metric == metric:
            value = proof.before if precision == "fp32" else proof.after
            return {"value": value, "data": str(proof.data)}
    return {}


def markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table, and below it on which pictures they were measured."""
    runtimes = [name for name in BACKENDS if any(name in row["loss_points"] | row["ms"] for row in found)]
    head = ["engine", "file", "metric", "value (95 % interval)", "MB", *(BACKENDS[r].title for r in runtimes)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    usual = _usual(row["loss_data"].values() for row in found)
    for row in found:
        cells = [row["engine"], row["precision"], row["label"], _percent(row), f"{row['megabytes']:.2f}"]
        lines.append("| " + " | ".join([*cells, *(_on(row, name, usual) for name in runtimes)]) + " |")
    legend = ["", "Under each runtime: points lost (\\*: on other pictures), milliseconds of one picture."]
    return "\n".join([*lines, *legend, *_lost_in(found), *_measured_on(found)])


def _usual(data: Iterable[Iterable[str]]) -> str:
    """The pictures that most losses were measured on."""
    counts = Counter(chain.from_iterable(data))
    return counts.most_common(1)[0][0] if counts else ""


def _on(row: Mapping[str, Any], runtime: str, usual: str) -> str:
    """Loss, with a star where it is of other pictures than usual, and speed; a dash for neither."""
    lost, ms = row["loss_points"].get(runtime), row["ms"].get(runtime)
    star = "" if row["loss_data"].get(runtime) in (None, usual) else "\\*"
    told = [
        "" if lost is None else f"{round(lost, 2) + 0.0:+.2f}{star}",
        "" if ms is None else f"{ms:.2f} ms",
    ]
    return ", ".join(filter(None, told)) or "–"


def _measured_on(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines below the table; none where nothing was measured."""
    values = sorted({row["data"] for row in found if row["data"]})
    losses: dict[str, list[str]] = {}
    for runtime, data in sorted({pair for row in found for pair in row["loss_data"].items()}):
        losses.setdefault(data, []).append(BACKENDS[runtime].title)
    if values == list(losses) or not losses:
        return ["", f"Measured on {', '.join(values)}."] if values else []
    told = [f"losses on {', '.join(runtimes)} on {data}" for data, runtimes in losses.items()]
    return ["", f"Measured: {'; '.join([f'values on {v}' for v in values] + told)}."]


def _percent(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "–"
    text = f"{100 * row['value']:.1f} %"
    if row["low"] is not None and row["high"] is not None:
        text += f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
    return text


def _lost_in(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the gate counts, of the engines where that is another metric than the one shown."""
    others = {
        row["engine"]: row["loss_label"]
        for row in found
        if row["loss_points"] and row["loss_metric"] != row["metric"]
    }
    told = "; ".join(f"{net}: {label}" for net, label in others.items())
    return ["", f"Points are lost against FP32 in the gate's metric, which is for {told}."] if told else []


def methods_table(engines: Path) -> str:
    """Points lost by each way of finding ranges, a row an engine and INT8 form; of `quantization.json`."""
    lines: list[str] = []
    for net in CONTRACTS:
        found = _json(engines / net / "quantization.json")
        if found:
            names = [row["method"] for row in found["methods"]]
            if not lines:
                lines = [
                    f"| engine | file | {' | '.join(names)} | chosen |",
                    "|---|---|" + "---|" * (len(names) + 1),
                ]
            for form in found["methods"][0]["loss_points"]:
                losses = [f"{row['loss_points'][form]:+.3f}" for row in found["methods"]]
                lines.append(f"| {net} | {form} | {' | '.join(losses)} | {found['chosen']} |")
    return "\n".join(lines) or "Not measured yet: `dms engines quantize all --compare --data …`."


def sensitivity_table(engines: Path) -> str:
    """What each part costs in INT8, a row a part; of `sensitivity.json`."""
    head = [
        "| engine | part | points lost | output error, % of spread | time added, % | runs in |",
        "|---|---|---|---|---|---|",
    ]
    lines = []
    for net in CONTRACTS:
        found = load_sensitivity(engines / net)
        for part in found.parts if found else ():
            kept = "float" if found and part.part in found.float_parts else "INT8"
            lines.append(
                f"| {net} | {part.part} | {part.loss_points:+.3f} | {100 * part.output_error:.2f} | "
                f"{100 * (part.time_ratio - 1):+.0f} | {kept} |"
            )
    return "\n".join(head + lines) if lines else "Not measured yet: `dms engines sensitivity all --data …`."


def update(path: Path, tables: Mapping[str, str]) -> list[str]:
    """Put tables into a text file, each between `<!-- NAME -->` and `<!-- /NAME -->`; returns those found.

    Raises:
        InputError: the file cannot be read or written, or has no such place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    done = []
    for name, table in tables.items():
        changed = with_section(text, name, table)
        if changed is not None:
            text = changed
            done.append(name)
    if not done:
        raise InputError(f"{path} has no place for a table; write <!-- engines --> <!-- /engines --> into it")
    write_atomically(path, text)
    return done


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
