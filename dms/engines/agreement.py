"""Do all runtimes say the same: one table of what `Prover` found, a row a file, a column a runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dms.backends import BACKENDS
from dms.engines.contract import CONTRACTS
from dms.engines.manifest import PRECISIONS, Proof, load_manifest
from dms.engines.verify import Verified

Found = Mapping[str, Mapping[str, Verified]]
"""What was proved, by net and runtime."""
EXPLAINED = """\
In each cell: how far the outputs of a file lie from FP32 on ONNX Runtime, in percent of their spread (mean
over the pictures, of the output that is furthest off), and the points lost in the gate's metric. Skipped is
what a runtime does not load and is never given, REFUSED what it should run and does not load."""


STILL = 1e-4
"""An output with less spread says the same of every picture, such as `presence` where all show a face."""


def distance_percent(proof: Proof) -> float:
    """Mean difference of the output that is furthest off, in percent of its spread over the pictures.

    Outputs that hardly change over the pictures have no spread to compare with and are left out.
    """
    parts = [100 * o.mean_error / o.spread for o in proof.outputs.values() if o.spread and o.spread > STILL]
    return max(parts, default=0.0)


def recorded(engines: Path) -> Found:
    """What `dms engines verify --record` wrote into the manifests."""
    found: dict[str, dict[str, Verified]] = {}
    for net in CONTRACTS:
        by_runtime = found.setdefault(net, {})
        for precision, proofs in load_manifest(engines / net).proofs.items():
            for runtime, proof in proofs.items():
                by_runtime.setdefault(runtime, Verified({}, {})).proofs[precision] = proof
    return found


def runtimes_of(found: Found) -> list[str]:
    """The runtimes on which anything was proved, in the order of `BACKENDS`."""
    return [name for name in BACKENDS if any(name in by_runtime for by_runtime in found.values())]


def table(found: Found, runtimes: Sequence[str]) -> list[list[str]]:
    """Header and rows: engine, file, then a cell for each runtime; a dash where it does not read the file."""
    rows = [["engine", "file", *(BACKENDS[name].title for name in runtimes)]]
    for net, by_runtime in found.items():
        files = dict.fromkeys(p for v in by_runtime.values() for p in (*v.proofs, *v.skipped, *v.refused))
        for precision in sorted(files, key=PRECISIONS.index):
            rows.append([net, precision, *(_cell(by_runtime.get(name), precision) for name in runtimes)])
    return rows


def _cell(found: Verified | None, precision: str) -> str:
    if found is None:
        return "–"
    if precision in found.refused:
        return "REFUSED"
    if precision in found.skipped:
        return "skipped"
    proof = found.proofs.get(precision)
    if proof is None:
        return "–"
    failed = "" if proof.passed else " FAILED"
    return f"{distance_percent(proof):.2f} %, {proof.loss_points + 0.0:+.2f}{failed}"
