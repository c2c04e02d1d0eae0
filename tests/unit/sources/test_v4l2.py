import cv2
import numpy as np
import pytest

from dms.config import SourceConfig
from dms.errors import SourceLost
from dms.sources import v4l2
from dms.sources.v4l2 import V4l2Reader, device_path, list_devices, open_device, raw_luma

HEIGHT, WIDTH = 360, 640
FROM_RAW = {
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "NV21": cv2.COLOR_YUV2BGR_NV21,
    "YU12": cv2.COLOR_YUV2BGR_I420,
    "YV12": cv2.COLOR_YUV2BGR_YV12,
    "YUYV": cv2.COLOR_YUV2BGR_YUYV,
    "UYVY": cv2.COLOR_YUV2BGR_UYVY,
}
PACKED_LUMA = {"YUYV": 0, "UYVY": 1}


def raw_picture(fourcc):
    """A raw buffer with all of the luma range and mild colour, as OpenCV shapes it."""
    luma = np.tile(np.linspace(16, 235, WIDTH).astype(np.uint8), (HEIGHT, 1))
    chroma = np.random.default_rng(1).integers(118, 138, (HEIGHT, WIDTH), np.uint8)
    if fourcc in PACKED_LUMA:
        planes = (luma, chroma) if PACKED_LUMA[fourcc] == 0 else (chroma, luma)
        return np.ascontiguousarray(np.stack(planes, -1))
    return np.vstack([luma, chroma[: HEIGHT // 2]])


@pytest.mark.parametrize("fourcc", FROM_RAW)
def test_raw_luma_equals_the_detour_over_colour(fourcc):
    raw = raw_picture(fourcc)
    detour = cv2.cvtColor(cv2.cvtColor(raw, FROM_RAW[fourcc]), cv2.COLOR_BGR2GRAY)
    direct = raw_luma(raw, fourcc, HEIGHT, WIDTH)
    assert direct.flags.c_contiguous
    difference = np.abs(direct.astype(int) - detour)
    # Next to black and white the detour clips the colours, and with them the luma.
    assert difference[:, WIDTH // 8 : -WIDTH // 8].max() <= 2
    assert difference.mean() < 1


def test_grey_is_taken_as_it_is():
    raw = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    np.testing.assert_array_equal(raw_luma(raw, "GREY", HEIGHT, WIDTH), raw)


def test_jpeg_luma_is_full_range():
    picture = cv2.cvtColor(
        np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1)), cv2.COLOR_GRAY2BGR
    )
    jpeg = cv2.imencode(".jpg", picture)[1].reshape(1, -1)
    luma = raw_luma(jpeg, "MJPG", HEIGHT, WIDTH)
    assert np.abs(luma.astype(int) - picture[..., 0]).max() <= 4


@pytest.mark.parametrize("fourcc", [*FROM_RAW, "GREY", "MJPG"])
@pytest.mark.parametrize("length", [0, 100])
def test_a_short_buffer_is_no_picture(fourcc, length):
    assert raw_luma(np.zeros((1, length), np.uint8), fourcc, HEIGHT, WIDTH) is None


def test_a_jpeg_of_another_size_is_no_picture():
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1]
    assert raw_luma(jpeg, "MJPG", HEIGHT, WIDTH) is None


class ScriptedDevice:
    """Stands for cv2.VideoCapture on a device: which formats it has, and up to which rate each."""

    def __init__(self, rates, frames=()):
        self.rates = rates
        self.props = {cv2.CAP_PROP_FOURCC: fourcc("BGR3"), cv2.CAP_PROP_CONVERT_RGB: 1.0}
        self.frames = list(frames)

    def isOpened(self):  # noqa: N802 (the name is OpenCV's)
        return True

    def set(self, prop, value):
        if prop == cv2.CAP_PROP_FOURCC and name(value) not in self.rates:
            return False
        self.props[prop] = value
        return True

    def get(self, prop):
        if prop == cv2.CAP_PROP_FPS:
            return min(self.props[prop], self.rates[name(self.props[cv2.CAP_PROP_FOURCC])])
        return self.props[prop]

    def retrieve(self):
        return True, self.frames.pop(0)


def fourcc(text):
    return cv2.VideoWriter.fourcc(*text)


def name(code):
    return int(code).to_bytes(4, "little").decode()


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ({"GREY": 30, "YUYV": 30, "MJPG": 30}, "GREY"),
        ({"NV12": 30, "YUYV": 30}, "NV12"),
        ({"YUYV": 10, "MJPG": 30}, "MJPG"),
        ({"YUYV": 29.97, "MJPG": 30}, "YUYV"),
        ({"YUYV": 10}, "YUYV"),
    ],
)
def test_the_least_work_that_keeps_the_rate_is_chosen(rates, chosen):
    device = ScriptedDevice(rates)
    reader = V4l2Reader(device, SourceConfig(width_px=WIDTH, height_px=HEIGHT, fps=30.0))
    assert str(reader).startswith(f"{chosen} 640x360")
    assert device.props[cv2.CAP_PROP_CONVERT_RGB] == 0


def test_an_unknown_format_is_left_to_opencv():
    bgr = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    device = ScriptedDevice({"BGR3": 30}, [bgr])
    device.props |= {
        cv2.CAP_PROP_FPS: 30.0,
        cv2.CAP_PROP_FRAME_WIDTH: float(WIDTH),
        cv2.CAP_PROP_FRAME_HEIGHT: float(HEIGHT),
    }
    reader = V4l2Reader(device, SourceConfig())
    assert device.props[cv2.CAP_PROP_CONVERT_RGB] == 1
    assert reader.luma()[0, 0] == 77


@pytest.mark.parametrize("code", [-1.0, 0.0])
def test_a_format_the_driver_does_not_tell_is_left_to_opencv(code):
    class Silent(ScriptedDevice):
        def get(self, prop):
            return code if prop == cv2.CAP_PROP_FOURCC else super().get(prop)

    device = Silent({"YUYV": 30})
    reader = V4l2Reader(device, SourceConfig(width_px=WIDTH, height_px=HEIGHT))
    assert str(reader) == "unknown format 640x360 at 30 fps, converted"
    assert device.props[cv2.CAP_PROP_CONVERT_RGB] == 1


def test_an_unexpected_layout_falls_back_to_conversion():
    bgr = np.full((HEIGHT, WIDTH, 3), 77, np.uint8)
    device = ScriptedDevice({"YUYV": 30}, [np.zeros((1, 5), np.uint8), bgr])
    reader = V4l2Reader(device, SourceConfig(width_px=WIDTH, height_px=HEIGHT))
    assert reader.luma() is None
    assert device.props[cv2.CAP_PROP_CONVERT_RGB] == 1
    assert reader.luma()[0, 0] == 77


def test_an_index_is_a_device():
    assert device_path("0") == "/dev/video0"
    assert device_path("/dev/v4l/by-id/cam") == "/dev/v4l/by-id/cam"


def test_devices_are_listed_in_their_order(tmp_path):
    for entry in ("video10", "video2", "null"):
        (tmp_path / entry).touch()
    assert list_devices(tmp_path) == [str(tmp_path / "video2"), str(tmp_path / "video10")]


@pytest.mark.parametrize(
    ("here", "cure"),
    [([], "there is none here at all"), (["/dev/video0"], "or name one that is here: /dev/video0")],
)
def test_a_missing_camera_says_which_there_are(monkeypatch, here, cure):
    monkeypatch.setattr(v4l2, "list_devices", lambda: here)
    with pytest.raises(SourceLost) as told:
        open_device(SourceConfig(uri="97"))
    assert str(told.value) == f"no camera at /dev/video97: plug it in, {cure}"


def test_what_is_no_camera_says_so():
    with pytest.raises(SourceLost, match="/dev/null does not open as a camera"):
        open_device(SourceConfig(uri="/dev/null"))


def test_a_camera_without_permission_names_the_group(monkeypatch):
    # The suite may run as root, who is allowed everything.
    monkeypatch.setattr(v4l2.os, "access", lambda *_: False)
    with pytest.raises(SourceLost, match="usermod -aG video"):
        open_device(SourceConfig(uri="/dev/null"))
