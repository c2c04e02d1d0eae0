"""The crops of a frame, cut on the device by one launch (`crops.cu`), for any number of inputs.

The engines take uint8 and scale it themselves, inside their graphs: there is no other type to cut to.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dms import landmarks
from dms.backends.cuda.kernels import Compiler, Module
from dms.backends.cuda.runtime import Device, Stream
from dms.errors import InputError
from dms.files import write_bytes_atomically

log = logging.getLogger(__name__)

WARP, AREA, LINEAR = range(3)
BLOCK = 256
ROW = np.dtype(
    [
        ("matrix", "<f8", 6),
        ("out", "<u8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("x", "<i4"),
        ("y", "<i4"),
        ("fitted_width", "<i4"),
        ("fitted_height", "<i4"),
        ("mode", "<i4"),
    ],
    align=True,
)
"""The C struct `Crop` of `crops.cu`."""
LARGEST_FRAME = 2**32 // 255
"""Pixels: the sums of `averaged` are 32 bits wide."""
OPTIONS = (
    # Sums and products apart, as on the host: the oracle rounds twice.
    "--fmad=false",
    f"-DRIGHT_EYE_OUTER={landmarks.INDEX['right_eye_outer']}",
    f"-DLEFT_EYE_OUTER={landmarks.INDEX['left_eye_outer']}",
    f"-DMOUTH_RIGHT={landmarks.INDEX['mouth_right']}",
    f"-DMOUTH_LEFT={landmarks.INDEX['mouth_left']}",
    f"-DLANDMARKS={landmarks.COUNT}",
)
"""What the kernels are compiled with."""


@dataclass(frozen=True, slots=True)
class Warp:
    """A part of the frame: `matrix`, 2x3 row by row, takes pixels of the input to pixels of the frame."""

    matrix: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """The whole frame, scaled to `width` x `height` and put at (x, y) of the input; the rest is 0.

    `averaged`: by the mean over areas; else between four pixels.
    """

    x: int
    y: int
    width: int
    height: int
    averaged: bool


Cut = Warp | Fit


def describe(row: NDArray[np.void], cut: Cut) -> None:
    """Write into one element of an array of `ROW` what its input shall show; size and address stay."""
    if isinstance(cut, Warp):
        row["mode"], row["matrix"] = WARP, cut.matrix
        return
    row["mode"] = AREA if cut.averaged else LINEAR
    row["x"], row["y"] = cut.x, cut.y
    row["fitted_width"], row["fitted_height"] = cut.width, cut.height


class Cutter:
    """The kernels, loaded on a device. `cache`: the folder where compiled kernels are kept.

    Raises:
        EngineUnavailable: they cannot be compiled for this device.
    """

    def __init__(self, device: Device, cache: Path | None) -> None:
        self._module = Module(cubin(device.info.arch, cache), device.info)

    def cut(
        self, stream: Stream, pixels: int, shape: tuple[int, int], rows: int, count: int, largest: int
    ) -> None:
        """Fill `count` inputs at once.

        Args:
            stream: where the launch is put.
            pixels: address of the frame, luma, row by row without gaps.
            shape: its height and width.
            rows: address of `count` elements of `ROW`.
            count: how many inputs.
            largest: pixels of the largest of them.
        """
        height, width = shape
        arguments = (
            (pixels, ctypes.c_void_p),
            (width, ctypes.c_int),
            (height, ctypes.c_int),
            (rows, ctypes.c_void_p),
        )
        self._module.launch("cut", stream, (-(-largest // BLOCK), count), BLOCK, arguments)

    def place(self, stream: Stream, points: int, eyes: int, fatigue: int, distraction: int) -> None:
        """Set the rows `fatigue` and `distraction` by the landmarks at `points`, found in the crop `eyes`.

        All are addresses; the meaning is that of `fatigue_crop` and `distraction_crop` of `stages.tensors`.
        """
        arguments = [(address, ctypes.c_void_p) for address in (points, eyes, fatigue, distraction)]
        self._module.launch("place", stream, (2, 1), 1, arguments)

    def idle(self, stream: Stream) -> None:
        """Launch a kernel that does nothing, to learn what a launch costs."""
        self._module.launch("idle", stream, (1, 1), 1)

    def close(self) -> None:
        """Unload. May be called twice."""
        self._module.close()


def source() -> str:
    """The text of the kernels."""
    return files("dms.backends.cuda").joinpath("crops.cu").read_text(encoding="utf-8")


def cubin(arch: str, cache: Path | None) -> bytes:
    """The kernels as machine code for `arch`: from the folder `cache`, else compiled and kept there.

    Raises:
        EngineUnavailable: they cannot be compiled.
    """
    text = source()
    if cache is None:
        return Compiler().cubin(text, OPTIONS, arch)
    key = hashlib.sha256("\n".join((text, *OPTIONS)).encode()).hexdigest()[:16]
    # Not by the compiler's version: where kernels are kept, a device needs no compiler.
    path = cache / f"crops-{arch}-{key}.cubin"
    kept = _kept(path)
    if kept is None:
        kept = Compiler().cubin(text, OPTIONS, arch)
        _keep(path, kept)
    return kept


def _kept(path: Path) -> bytes | None:
    """The file's content behind its own SHA-256; None where it is missing, cut short or changed."""
    content = b""
    with suppress(OSError):
        content = path.read_bytes()
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _keep(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(path, hashlib.sha256(code).digest() + code)
    except (OSError, InputError) as error:
        log.warning("the compiled kernels are not kept, each start compiles them anew: %s", error)
