"""`python -m dms.training tflite`: the files for LiteRT."""

from __future__ import annotations

from pathlib import Path

import click

from dms.engines.contract import CONTRACTS
from dms.training.options import CONFIG, FOLDER, NET_OR_ALL, PACK


@click.command()
@NET_OR_ALL
@PACK
@click.option(
    "--engines",
    type=FOLDER,
    default=Path("engines"),
    show_default=True,
    help="Folder of the engines: each net is checked against its FP32 file, the new ones go beside it.",
)
@click.option(
    "--from",
    "trained",
    type=FOLDER,
    help="What `fit` wrote, one folder a net; left out, the weights of the FP32 files are taken.",
)
@CONFIG
def tflite(net: str, folder: Path, engines: Path, trained: Path | None, config: Path) -> None:
    """Write model.tflite and model.int8.tflite, for LiteRT, from the training module.

    Needs `pip install 'dms[lite-convert]'`. The module must give what the engine's FP32 file gives; the
    ranges of INT8 are taken from pictures of the pack. Afterwards prove the files:
    `dms engines verify --backend litert`.
    """
    from dms.engines.release import LITE_NAMES
    from dms.training import tflite as converting

    for name in CONTRACTS if net == "all" else (net,):
        sizes = converting.convert(name, engines, folder, config, trained / name if trained else None)
        for artefact, size in sizes.items():
            click.echo(f"{engines / name / LITE_NAMES[artefact]}: {size:,} bytes")
