# ruff: noqa: T201 (what is found is kept as a measurement)
"""The kernels on a real GPU against OpenCV and `stages.tensors`; each test prints what it found."""

import ctypes
from contextlib import ExitStack, closing

import cv2
import numpy as np
import pytest

from dms import landmarks as lm
from dms.backends.cuda.crops import ROW, Cutter, cubin, describe
from dms.backends.cuda.kernels import Module
from dms.backends.cuda.memory import Pinned
from dms.errors import EngineError, EngineUnavailable
from dms.stages.cuts import as_cut
from dms.stages.tensors import Crop, distraction_crop, fatigue_crop, fitted, landmark_box
from tests.hardware.gpu import ON_GPU, WARP_LIMIT, frame, on_host
from tests.unit.backends.cuda import twin as twins

pytestmark = ON_GPU


def cut_on_gpu(device, stream, kernels, image, places, shapes):
    with ExitStack() as stack:
        cutter = stack.enter_context(closing(Cutter(device, kernels)))
        frame = stack.enter_context(closing(Pinned(device, image.size)))
        sizes = [height * width for height, width in shapes]
        inputs = stack.enter_context(closing(Pinned(device, sum(sizes))))
        rows = stack.enter_context(closing(Pinned(device, len(places) * ROW.itemsize)))
        begins = np.concatenate([[0], np.cumsum(sizes)])
        for row, place, shape, begin in zip(rows.host.view(ROW), places, shapes, begins, strict=False):
            row["out"], (row["height"], row["width"]) = inputs.address + begin, shape
            describe(row, as_cut(place, shape[1]))
        frame.host[:] = image.ravel()
        frame.upload(stream, 0, image.size)
        rows.upload(stream, 0, len(rows.host))
        cutter.cut(stream, frame.address, image.shape, rows.address, len(places), max(sizes))
        inputs.download(stream, 0, sum(sizes))
        stream.wait()
        parts = np.split(inputs.host.copy(), begins[1:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def random_crop(rng):
    angle = rng.choice([0.0, rng.uniform(-np.pi, np.pi)])
    return Crop(rng.uniform(-300, 1600), rng.uniform(-300, 1000), rng.uniform(0.5, 2000), angle)


def compared(name, found, expected, limit):
    apart = np.abs(
        np.concatenate([f.ravel().astype(int) - e.ravel() for f, e in zip(found, expected, strict=True)])
    )
    print(f"\n{name}: at most {apart.max()} apart, {np.count_nonzero(apart)} of {apart.size} pixels differ")
    assert apart.max() <= limit


def test_crops_are_those_of_the_host(device, stream, kernels, tmp_path):
    rng, image = np.random.default_rng(3), frame()
    places = [random_crop(rng) for _ in range(300)]
    shapes = [(size, size) for size in rng.choice([96, 112, 128], 300).tolist()]
    found = cut_on_gpu(device, stream, kernels, image, places, shapes)
    expected = [on_host(image, *pair) for pair in zip(places, shapes, strict=True)]
    compared(f"300 crops in one launch, OpenCV {cv2.__version__}", found, expected, WARP_LIMIT)
    if twins.has_compiler():
        twin = twins.built(tmp_path)
        compared("300 crops, C++ twin", found, twins.cut_with(twin, image, places, shapes), 0)


@pytest.mark.parametrize(
    ("height", "width"),
    [(360, 640), (720, 1280), (1080, 1920), (480, 640), (1280, 720), (200, 300), (160, 256), (3, 2), (1, 1)],
)
def test_letterboxes_are_those_of_the_host(device, stream, kernels, height, width):
    image = frame(height, width)
    place = fitted(image.shape, 160, 256)
    found = cut_on_gpu(device, stream, kernels, image, [place], [(160, 256)])
    exact = (height, width) in ((360, 640), (720, 1280), (1080, 1920))
    compared(f"{width}x{height}", found, [on_host(image, place, (160, 256))], 0 if exact else 1)


def test_followers_lie_where_the_host_would_put_them(device, stream, kernels):
    rng, worst = np.random.default_rng(8), 0.0
    with ExitStack() as stack:
        cutter = stack.enter_context(closing(Cutter(device, kernels)))
        points = stack.enter_context(closing(Pinned(device, 8 * lm.COUNT)))
        rows = stack.enter_context(closing(Pinned(device, 3 * ROW.itemsize)))
        table = rows.host.view(ROW)
        for _ in range(200):
            eyes = Crop(rng.uniform(100, 1200), rng.uniform(100, 600), rng.uniform(40, 700))
            landmarks = rng.uniform(0.2, 0.8, (lm.COUNT, 2)).astype(np.float32)
            points.host[:] = landmarks.view(np.uint8).ravel()
            table["width"], table[0]["matrix"] = (112, 96, 128), eyes.to_frame(112).ravel()
            points.upload(stream, 0, len(points.host))
            rows.upload(stream, 0, len(rows.host))
            cutter.place(stream, points.address, *(rows.address + i * ROW.itemsize for i in range(3)))
            rows.download(stream, 0, len(rows.host))
            stream.wait()
            for found, expected in zip(table["matrix"][1:], placed_on_host(landmarks, eyes), strict=True):
                worst = max(worst, float(np.abs(found.reshape(2, 3) - expected).max()))
    print(f"\nat most {worst:.2e} pixels of the frame apart")
    assert worst < 1e-3


def placed_on_host(landmarks, eyes):
    to_frame = eyes.to_frame(112)
    points = landmarks * 112 - 0.5
    points = (points @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
    return fatigue_crop(points).to_frame(96), distraction_crop(landmark_box(points)).to_frame(128)


def test_compiled_kernels_are_kept(device, tmp_path):
    first = cubin(device.info.arch, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    assert cubin(device.info.arch, tmp_path) == first
    print(f"\n{path.name}, {len(first)} bytes")


def test_kernels_of_another_device_are_a_typed_error(device):
    other = "sm_75" if device.info.capability >= 80 else "sm_90"
    with pytest.raises(EngineUnavailable, match="cannot load the compiled kernels"):
        Module(cubin(other, None), device.info)


def test_a_launch_that_cuda_refuses_is_a_typed_error(device, stream, kernels):
    with closing(Cutter(device, kernels)) as cutter, pytest.raises(EngineError):
        cutter._module.launch("cut", stream, (1 << 30, 1 << 20), 256, [(0, ctypes.c_void_p)] * 4)
