"""`crops.cu` compiled as plain C++: the same arithmetic on a machine without a GPU."""

import ctypes
import shutil
import subprocess

import numpy as np

from dms.backends.cuda.crops import BLOCK, OPTIONS, ROW, describe, source
from dms.stages.cuts import as_cut

SHIM = """
#include <algorithm>
#include <cmath>
#include <cstddef>
using std::max;
using std::min;
#define __device__ static inline
#define __global__
struct Index { unsigned x = 0, y = 0; };
static thread_local Index threadIdx, blockIdx, blockDim;
%s
template <typename Kernel> static void launch(Kernel kernel, unsigned width, unsigned height, unsigned block)
{
    blockDim.x = block;
    for (blockIdx.y = 0; blockIdx.y < height; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < width; ++blockIdx.x)
            for (threadIdx.x = 0; threadIdx.x < block; ++threadIdx.x)
                kernel();
}
extern "C" void launch_cut(unsigned gx, unsigned gy, unsigned block, const unsigned char* pixels, int width,
                           int height, const Crop* crops)
{
    launch([=] { cut(pixels, width, height, crops); }, gx, gy, block);
}
extern "C" void launch_place(unsigned gx, unsigned gy, unsigned block, const float* points, const Crop* eyes,
                             Crop* fatigue, Crop* distraction)
{
    launch([=] { place(points, eyes, fatigue, distraction); }, gx, gy, block);
}
extern "C" void launch_idle(unsigned, unsigned, unsigned) {}
extern "C" size_t crop_bytes() { return sizeof(Crop); }
"""


def has_compiler():
    return shutil.which("g++") is not None


def built(folder):
    """The kernels as a library of the host."""
    text, library = folder / "twin.cpp", folder / "twin.so"
    text.write_text(SHIM % source(), encoding="utf-8")
    defines = [option for option in OPTIONS if option.startswith("-D")]
    command = ["g++", "-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-Wno-unknown-pragmas"]
    subprocess.run([*command, "-Wall", "-Werror", *defines, "-o", library, text], check=True, timeout=120)
    found = ctypes.CDLL(str(library))
    found.crop_bytes.restype = ctypes.c_size_t
    return found


def rows_for(inputs, places):
    """An array of `ROW` for arrays of the host."""
    rows = np.zeros(len(inputs), ROW)
    for row, out, place in zip(rows, inputs, places, strict=True):
        row["out"], (row["height"], row["width"]) = out.ctypes.data, out.shape
        describe(row, as_cut(place, out.shape[1]))
    return rows


def cut_with(twin, image, places, shapes):
    """The crops of `image` at `places`, by one launch of the twin."""
    inputs = [np.full(shape, 77, np.uint8) for shape in shapes]
    rows = rows_for(inputs, places)
    grid = -(-max(out.size for out in inputs) // BLOCK)
    twin.launch_cut(grid, len(inputs), BLOCK, *_pointers(image), *image.shape[::-1], *_pointers(rows))
    return inputs


def place_with(twin, landmarks, eyes, rows):
    """Have the twin set rows 1 and 2 by landmarks in the crop of row 0."""
    rows[0]["matrix"] = eyes.to_frame(int(rows[0]["width"])).ravel()
    first = rows.ctypes.data
    addresses = [ctypes.c_void_p(first + i * ROW.itemsize) for i in range(3)]
    twin.launch_place(2, 1, 1, *_pointers(landmarks), *addresses)


def _pointers(*arrays):
    return [ctypes.c_void_p(array.ctypes.data) for array in arrays]
