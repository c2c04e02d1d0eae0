"""What the `dms engines` commands read: pictures, tasks and ranges, of engines and evaluation."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from onnx import ModelProto

    from dms.engines.manifest import DataNote
    from dms.engines.ranges import Observed
    from dms.engines.running import Images, Task
    from dms.engines.table import RangesTable
    from dms.evaluation.pack import Pack


def open_data(data: Path) -> Pack:
    """A pack or a labelled folder."""
    from dms.evaluation.labelled import open_labelled

    return open_labelled(data)


def shipped_data() -> Path:
    """The simulated set `calib_data`: beside the engines of a checkout, else in the present folder."""
    from dms.errors import InputError
    from dms.resources import engines_folder

    places = (engines_folder().parent / "calib_data", Path("calib_data"))
    found = next((path for path in places if os.path.isdir(path)), None)
    if found is None:
        raise InputError(
            "calib_data does not come with the installed package, it lies in the sources: name it by --data, "
            "or pictures of your own"
        )
    return found


def trained_sets(pack: Pack, net: str) -> list[str]:
    """The names of the data sets a net was trained on."""
    sets, rows = pack.tables["images"]["set"], pack.tables[net]["image"]
    drawn = ["simulated"] if (rows >= len(sets)).any() else []
    return sorted({str(name) for name in sets[rows[rows < len(sets)]]}) + drawn


def engine_inputs(net: str, pack: Pack, data: Path, most: int) -> Images:
    """See `dms.calibration.inputs.inputs_of`."""
    from dms.calibration.inputs import inputs_of

    return inputs_of(net, pack, data, most)


def make_task(net: str, pack: Pack) -> Task:
    """How a net is judged on the held-out rows of a pack."""
    from dms.engines.running import Task
    from dms.evaluation.measure import DECIDING, PREPARED, require_rows

    require_rows(pack, net)
    return Task(PREPARED[net](pack), *DECIDING[net])


def describe(pack: Pack, data: Path) -> DataNote:
    """Name and hash of labelled pictures, for the proofs made on them."""
    from dms.engines.manifest import DataNote
    from dms.evaluation.pack import data_hash

    return DataNote(name=data.resolve().name, sha256=data_hash(pack), pictures=len(pack.blobs))


def require_all_sides(data: Path, allowed: bool) -> None:
    """Tell what a labelled folder lacks to calibrate with.

    Raises:
        InputError: it is too small, or one-sided and that is not `allowed`; the text says which way.
    """
    from dms.calibration.check import require_balanced

    for problem in require_balanced(data, allowed):
        click.echo(f"{data}: {problem}", err=True)


def float_nodes(net: str, model: ModelProto, folder: Path) -> tuple[str, ...]:
    """The nodes that stay in floating point: of the last sweep, else the heads, which is told."""
    from dms.engines.quantize import float_by_default
    from dms.engines.storage import model_hash
    from dms.engines.swept import float_nodes_for

    known = float_nodes_for(folder, model_hash(model))
    if known is not None:
        return known
    click.echo(f"{net}: no sensitivity sweep of this model yet: its heads stay float", err=True)
    return float_by_default(model)


def given_ranges(net: str, model: ModelProto, path: Path) -> RangesTable:
    """A ranges file, if it is this model's."""
    from dms.engines.storage import model_hash
    from dms.engines.table import load_ranges

    table = load_ranges(path)
    table.check_model(net, model_hash(model), str(path))
    return table


def watched(net: str, model: ModelProto, images: Images) -> Observed:
    """How the net's tensors are distributed over pictures, found under a progress bar."""
    from dms.engines.ranges import observe

    with click.progressbar(length=1000, label=f"{net}: ranges", file=sys.stderr) as bar:
        return observe(model, net, images, lambda done: bar.update(round(done * 1000) - bar.pos))


@contextmanager
def steps(label: str) -> Iterator[Callable[[str], None]]:
    """Tells on stderr which step of unknown length is being done."""
    shown = sys.stderr.isatty()

    def told(step: str) -> None:
        if shown:
            click.echo(f"\r\x1b[K{label}: {step}", nl=False, err=True)

    yield told
    if shown:
        click.echo("\r\x1b[K", nl=False, err=True)
