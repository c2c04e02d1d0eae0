"""Candidates of net shapes, measured before a long run: size, work, speed, a short training."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from dms.engines.contract import CONTRACTS
from dms.engines.running import Images
from dms.errors import ConfigError
from dms.evaluation.inputs import calibration_inputs
from dms.evaluation.speed import runtimes
from dms.files import write_atomically
from dms.training import cost, fitting, trial
from dms.training.data import Data
from dms.training.nets import EyesNet, scaled, trunk
from dms.training.recipe import make_net, unknown

log = logging.getLogger(__name__)
Row = dict[str, Any]
Table = dict[str, dict[str, Row]]

BUDGET_MS = {"face": 0.35, "eyes": 0.45, "fatigue": 0.15, "distraction": 0.40}
"""INT8 on the reference core (design)."""
REFERENCE = "plain 32-64-96-160-192, 112²"
REFERENCE_MS = 0.366
"""What it takes in INT8 with ONNX Runtime on the reference core (x86-64 with VNNI, 1 thread)."""


class Reference(EyesNet):
    """The plain net of the design's speed table: a trunk, the mean over the picture, one dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = _Pooled((32, 64, 96, 160, 192), (2, 3, 3, 2))
        self.head = nn.Linear(192, self.head.out_features)


class _Pooled(nn.Module):
    def __init__(self, channels: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.trunk = trunk(channels, depths)

    def forward(self, image: Tensor) -> Tensor:
        return self.trunk(scaled(image)).mean((2, 3))


def candidates(path: Path, config: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Net -> name -> shape; an empty shape is that of the net's recipe in `config`.

    Raises:
        ConfigError: the file is missing, malformed, or holds a shape that no net has.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is no list of candidates: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
        raise ConfigError(f"{path} is no list of candidates: it must map nets to names to shapes")
    for net, shapes in found.items():
        if net not in CONTRACTS:
            raise ConfigError(f"{path}: {unknown(str(net), CONTRACTS)}")
        for name, shape in shapes.items():
            if not isinstance(shape, dict):
                raise ConfigError(f"{path}: {net}: `{name}` must map to keyword arguments of the net")
            make_net(net, shape)
        own = fitting.recipe_of(net, config).net
        found[net] = {name: shape or own for name, shape in shapes.items()}
    return found


def measure_speed(net: str, shapes: dict[str, dict[str, Any]], rounds: int = trial.ROUNDS) -> dict[str, Row]:
    """Size, work and speed of each shape of a net; all run in turn with the reference net.

    Returns:
        A row a name, the reference's among them; milliseconds under `ms`, as `ort fp32`.
    """
    torch.manual_seed(0)
    built = {name: (net, make_net(net, shape).eval()) for name, shape in shapes.items()}
    built[REFERENCE] = ("eyes", Reference().eval())
    rows: dict[str, Row] = {}
    calls: dict[tuple[str, str], trial.Call] = {}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        for k, (name, (kind, module)) in enumerate(built.items()):
            _awake(module, kind)
            paths = trial.place(kind, module, Path(folder) / str(k), trial.noise_images(kind)).paths
            rows[name] = {
                "parameters": cost.parameters(module),
                "mmac": round(cost.mmac(kind, module), 1),
                "megabytes": round(paths["cpu.int8"].stat().st_size / 1e6, 3),
            }
            for runtime in (r for r in trial.PRECISION if r in runtimes()):
                for precision, file in (("fp32", "fp32"), ("int8", trial.PRECISION[runtime])):
                    call = stack.enter_context(trial.opened(runtime, paths[file], kind))
                    calls[name, f"{runtime} {precision}"] = call
        for (name, key), value in trial.alternate(calls, rounds).items():
            rows[name].setdefault("ms", {})[key] = round(value, 4)
    return rows


@torch.no_grad()
def _awake(net: nn.Module, kind: str) -> None:
    """Let the batch norms see some pictures, so that a fresh net's layers carry signals to find ranges of."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    copy_of_images = torch.from_numpy(trial.noise_images(kind, 8))
    net.train()(copy_of_images)
    net.eval()


def train_shapes(
    net: str, shapes: dict[str, dict[str, Any]], data: Data, config: Path, work: Path, steps: int
) -> dict[str, Row]:
    """Train each shape for some steps on its labels alone; the task metric in FP32 and INT8."""
    judged, rows = trial.judge(net, data.pack), {}
    images = calibration_inputs(net, data.pack)
    for name, shape in shapes.items():
        how = fitting.recipe_of(net, config).override(steps=steps, teachers=0)
        how = how.model_copy(update={"net": shape})
        folder = work / net / name.replace(" ", "-").replace("/", "-")
        trained = fitting.fit_one(net, data, how, folder, resume=True)
        rows[name] = {
            "metric": judged.metric,
            "steps": steps,
            "fp32": round(judged.score(trial.infer_with(trained)), 4),
            "int8": round(_int8(judged, trained, images), 4),
        }
        log.info("%s %s: %s", net, name, rows[name])
    return rows


def _int8(judged: trial.Judge, net: nn.Module, images: Images) -> float:
    with TemporaryDirectory() as folder:
        placed = trial.place(judged.net, net.cpu(), Path(folder), images)
        return trial.score_file(judged, placed.paths["cpu.int8"])


def merged(path: Path, net: str, shapes: dict[str, dict[str, Any]], rows: dict[str, Row]) -> Table:
    """The table in the JSON file with new rows: what was measured before of the same shapes stays."""
    table: Table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    before = table.get(net, {})
    table[net] = {}
    for name in (*shapes, REFERENCE):
        shape = shapes.get(name)
        old = before.get(name, {})
        kept = old if old.get("shape") == shape else {}
        table[net][name] = kept | rows.get(name, {}) | {"shape": shape}
    return table


def write(table: Table, path: Path) -> None:
    """Write the JSON file and, beside it, the Markdown page."""
    write_atomically(path, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    write_atomically(path.with_suffix(".md"), page(table))


def page(table: Table) -> str:
    """The table as Markdown."""
    lines = [
        "# Candidates of net shapes",
        "",
        "Written by `python -m dms.training compare` from `configs/training/candidates.yaml`; figures in",
        "`candidates.json`. One picture, one thread, lower quartile; all shapes of a net and the reference",
        "net run in turn within one process: compare within a table, not across machines. *Scaled*: ORT INT8",
        f"time in units of the reference net ({REFERENCE}) times the {REFERENCE_MS} ms it takes on the",
        "reference core (x86-64 with VNNI): what to hold against the budget on any machine; *budget* says",
        "whether it stays within. Speed is of random weights; it does not depend on them. INT8 is all but",
        "the heads here; what ships keeps in floating point what `dms engines sensitivity` finds, which made",
        "the face net faster ([compression.md](compression.md)).",
        "",
        "Accuracies are the last scores of single trainings (`trained` in `candidates.json`, entered from",
        "their `training.csv`): held-out people, FP32. Compare within equal steps, batch and recipe alone",
        "(*calm*: from that share of the run the augmentation was scaled down, which lowers errors);",
        "*annealed*: whether the learning rate had come to its end.",
    ]
    for net, rows in table.items():
        lines += ["", f"## {net} (budget {BUDGET_MS[net]:.2f} ms INT8)", "", *_section(rows, BUDGET_MS[net])]
        lines += _trained(rows)
    return "\n".join(lines) + "\n"


def _section(rows: dict[str, Row], budget_ms: float) -> list[str]:
    keys = list(dict.fromkeys(key for row in rows.values() for key in row.get("ms", {})))
    titles = [
        k.replace("ort", "ORT").replace("openvino", "OpenVINO").replace("fp", "FP").replace("int", "INT")
        for k in keys
    ]
    metric = next((row["metric"] for row in rows.values() if "metric" in row), None)
    steps = next((row["steps"] for row in rows.values() if "steps" in row), None)
    head = ["shape", "parameters", "MMAC", "INT8 MB", *titles]
    head += ["speed-up ORT", "to shipped", "scaled ms", "budget"]
    if metric:
        head += [f"{metric} FP32 ({steps} steps)", "INT8"]
    base = next(iter(rows.values()))
    unit = rows.get(REFERENCE, {}).get("ms", {}).get("ort int8")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in rows.items():
        cells = [name, *_figures(row, keys), *_ratios(row, base, unit, budget_ms)]
        if metric:
            cells += [f"{row[k]:.4f}" if k in row else "–" for k in ("fp32", "int8")]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _trained(rows: dict[str, Row]) -> list[str]:
    """A line for each training of each shape, those of as many steps together."""
    runs = [(name, run) for name, row in rows.items() for run in row.get("trained", ())]
    if not runs:
        return []
    scores = list(dict.fromkeys(key for _, run in runs for key in run["scores"]))
    head = ["shape", "steps", "batch", "annealed", *scores]
    lines = ["", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, run in sorted(runs, key=lambda found: found[1]["annealed"]):
        cells = [name, f"{run['steps']:,}", str(run["batch"]), "yes" if run["annealed"] else "no"]
        cells += [str(run["scores"].get(key, "–")) for key in scores]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _figures(row: Row, keys: Sequence[str]) -> list[str]:
    if "ms" not in row:
        return ["–"] * (3 + len(keys))
    sizes = [f"{row['parameters'] / 1e6:.2f} M", f"{row['mmac']:.0f}", f"{row['megabytes']:.2f}"]
    return sizes + [f"{row['ms'][k]:.3f}" if k in row["ms"] else "–" for k in keys]


def _ratios(row: Row, base: Row, unit: float | None, budget_ms: float) -> list[str]:
    if "ms" not in row or "ms" not in base or not unit:
        return ["–"] * 4
    fast = row["ms"]["ort int8"]
    scaled_ms = fast / unit * REFERENCE_MS
    return [
        f"{row['ms']['ort fp32'] / fast:.2f}",
        f"{fast / base['ms']['ort int8']:.2f}",
        f"{scaled_ms:.3f}",
        _verdict(row, scaled_ms, budget_ms),
    ]


def _verdict(row: Row, scaled_ms: float, budget_ms: float) -> str:
    """Whether a shape stays within the net's budget; the reference net is no candidate."""
    if row.get("shape") is None:
        return "–"
    return "within" if scaled_ms <= budget_ms else "over"
