"""A contact sheet of what a net is trained on: each augmentation alone, then batches with their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dms import landmarks as lm
from dms.engines.contract import ACTIVITIES, CONTRACTS
from dms.errors import InputError
from dms.files import write_bytes_atomically
from dms.training import augment, effects, geometry
from dms.training.covers import Marks
from dms.training.datasets.bank import ImageBank
from dms.training.tasks import Batch, Draw

Picture = NDArray[np.uint8]
COLUMNS = 8
CELL_WIDTH = 168
CAPTION = 190
"""Pixels at the left of a row for its name."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
GREEN, GREY, YELLOW, RED = (80, 220, 80), (150, 150, 150), (60, 220, 240), (80, 80, 255)


def sheet(net: str, task: Any, batches: int = 4) -> Picture:
    """The contact sheet of one net (BGR): a row an augmentation, then `batches` rows of training."""
    rows = [_row(name, [_shown(i) for i in images]) for name, images in alone(net, task.draw, task.bank)]
    for k in range(batches):
        images, target = task.batch(COLUMNS)
        cells = [_shown(images[i] / 255) for i in range(COLUMNS)]
        for i, cell in enumerate(cells):
            MARKED[net](cell, {name: v[i].cpu().numpy() for name, v in target.items() if len(v) == COLUMNS})
        rows.append(_row(f"training batch {k + 1}", cells))
    return np.concatenate(rows)


def save(picture: Picture, out: Path) -> None:
    """Write the sheet as a PNG or JPEG.

    Raises:
        InputError: the folder is missing or the ending is no picture's.
    """
    try:
        encoded = cv2.imencode(out.suffix, picture)[1]
    except cv2.error as error:
        raise InputError(f"{out}: no such picture format; end the name with .png or .jpg") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(out, encoded.tobytes())


def alone(net: str, draw: Draw, bank: ImageBank) -> Iterator[tuple[str, Tensor]]:
    """Each augmentation by name, alone and on every picture of the row."""
    rows = draw.rows(COLUMNS)
    images, matrix = plain(net, rows, bank)
    marks = marks_of(rows, matrix, images)
    yield "as it is", images
    for name, (effect, _) in (augment.LIGHT | augment.LENS | augment.SENSOR).items():
        yield name, effect(images)
    bright = effects.infrared(images)
    open_share = rows.get("openness", torch.ones(COLUMNS, 2, device=bank.device))
    yield "bright pupils", effects.bright_pupils(bright, marks[:, :2], open_share)
    yield "glints on glasses", effects.glints(images, marks[:, :2])
    for name, (cover, _) in augment.COVERS.items():
        yield name, cover(images, marks)[0]
    yield "roll", plain(net, rows, bank, turn=torch.randn(COLUMNS, device=bank.device) * 0.4)[0]
    yield "perspective", augment.perspective(images, 0.4)[0]


def plain(net: str, rows: Batch, bank: ImageBank, turn: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
    """The net's inputs, 0 to 1, without any augmentation but a turn in radians, and their matrices."""
    contract = CONTRACTS[net]
    if net == "face":
        matrix = _whole(bank.size[rows["image"]], contract.height, contract.width, turn)
    else:
        crop = rows["crop"] + torch.tensor([0.0, 0, 0, 1], device=bank.device) * torch.as_tensor(
            turn, device=bank.device
        ).reshape(-1, 1)
        matrix = geometry.crop_matrix(crop, contract.height)
    images, _ = bank.sample_shrunk(rows["image"], matrix, contract.height, contract.width)
    return images / 255, matrix


def _whole(extent: Tensor, height: int, width: int, turn: Tensor | float) -> Tensor:
    """Matrices (n, 2, 3) that letterbox whole pictures of the given width and height (n, 2)."""
    target = torch.tensor([width, height], device=extent.device, dtype=torch.float32)
    scale = (extent / target).amax(1)
    angle = torch.zeros_like(scale) + turn
    c, s = scale * torch.cos(angle), scale * torch.sin(angle)
    rows = torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)
    return torch.cat([rows, (extent / 2 - (rows @ (target / 2)))[:, :, None]], 2)


def marks_of(rows: Batch, matrix: Tensor, images: Tensor) -> Marks:
    """Right eye, left eye and mouth in crop units, from whatever the net's table holds."""
    if "parts" in rows:
        points = rows["parts"]
    elif "landmarks" in rows:
        groups = (lm.RIGHT_EYE, lm.LEFT_EYE, lm.INNER_MOUTH)
        points = torch.stack([rows["landmarks"][:, list(g)].mean(1) for g in groups], 1)
    else:
        five = rows["points"][:, 0] if rows["points"].ndim == 4 else rows["points"]
        points = torch.cat([five[:, :2], five[:, 3:].mean(1, keepdim=True)], 1)
    height, width = images.shape[2:]
    return (geometry.to_crop(points, matrix) + 0.5) / torch.tensor([width, height], device=images.device)


def _shown(image: Tensor) -> Picture:
    """One picture (1, height, width), 0 to 1, as a cell of the sheet."""
    grey = (image[0].clamp(0, 1) * 255).byte().cpu().numpy()
    height = round(CELL_WIDTH * grey.shape[0] / grey.shape[1])
    large = cv2.resize(grey, (CELL_WIDTH, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)


def _row(name: str, cells: list[Picture]) -> Picture:
    height = cells[0].shape[0] + 2
    caption = np.full((height, CAPTION, 3), 30, np.uint8)
    cv2.putText(caption, name, (8, height // 2), FONT, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    framed = [cv2.copyMakeBorder(c, 0, 2, 0, 2, cv2.BORDER_CONSTANT) for c in cells]
    return np.asarray(cv2.hconcat([caption, *framed]), np.uint8)


Target = dict[str, NDArray[np.float32]]


def _dots(cell: Picture, points: NDArray[np.float32], color: tuple[int, int, int]) -> None:
    height, width = cell.shape[:2]
    for x, y in points:
        if -9 < x < 9 and -9 < y < 9:
            cv2.circle(cell, (int(x * width), int(y * height)), 1, color, -1, cv2.LINE_AA)


def _say(cell: Picture, lines: list[str]) -> None:
    for k, line in enumerate(lines):
        (width, _), _ = cv2.getTextSize(line, FONT, 0.36, 1)
        cell[12 * k : 12 * k + 13, : width + 6] //= 4
        cv2.putText(cell, line, (3, 10 + 12 * k), FONT, 0.36, YELLOW, 1, cv2.LINE_AA)


def _known(name: str, values: NDArray[np.float32], weights: NDArray[np.float32]) -> str:
    """Values, a dash where the target carries no weight."""
    known = np.broadcast_to(weights, values.shape) > 0
    return f"{name} " + " ".join(f"{v:.2g}" if k else "-" for v, k in zip(values, known, strict=True))


def _mark_eyes(cell: Picture, target: Target) -> None:
    _dots(cell, target["landmarks"][target["landmarks_w"] > 0], GREEN)
    if target["presence"] < 0.5:
        _say(cell, ["no face"])
        return
    _say(
        cell,
        [
            _known("open", target["openness"], target["openness_w"]),
            _known("seen", target["visibility"], np.ones(1, np.float32)),
            _known("gaze", target["gaze"].round(), target["gaze_w"]),
            _known("head", target["head"].round(), target["head_w"]),
        ],
    )


def _mark_fatigue(cell: Picture, target: Target) -> None:
    names = ("R closed", "L closed", "yawn", "covered", "squint")
    known = zip(names, target["state"], target["state_w"], strict=True)
    _say(cell, [f"{n} {v:.2g} (x{w:.2g})" for n, v, w in known if w > 0])


def _mark_distraction(cell: Picture, target: Target) -> None:
    share = float(target.get("share", np.float32(1)))
    first = "/".join(n for n, a in zip(ACTIVITIES, target["allowed"], strict=True) if a > 0)
    lines = [f"{share:.2f} {first}"]
    if share < 0.99:
        second = "/".join(n for n, a in zip(ACTIVITIES, target["other"], strict=True) if a > 0)
        lines.append(f"{1 - share:.2f} {second}")
    _say(cell, lines)
    if "points" in target:
        _dots(cell, target["points"], GREEN)


def _mark_face(cell: Picture, target: Target) -> None:
    contract = CONTRACTS["face"]
    scale = CELL_WIDTH / contract.width
    for box, points, use in zip(target["box"], target["points"], target["use"], strict=True):
        if use == 0:
            continue
        x1, y1, x2, y2 = (int(v) for v in np.clip(box * scale, -999, 999))
        cv2.rectangle(cell, (x1, y1), (x2, y2), GREEN if use == 1 else GREY, 1)
        if use == 1:
            _dots(cell, points / np.array([contract.width, contract.height], np.float32), RED)


MARKED: dict[str, Callable[[Picture, Target], None]] = {
    "face": _mark_face, "eyes": _mark_eyes, "fatigue": _mark_fatigue, "distraction": _mark_distraction,
}  # fmt: skip
