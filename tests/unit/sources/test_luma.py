import cv2
import numpy as np
import pytest

from dms.errors import InputError
from dms.sources.luma import bit_depth, to_luma

SIZES = [(16, 16), (1, 1), (17, 33), (960, 540), (4320, 7680)]


def noise(*shape, dtype=np.uint8, top=256):
    return np.random.default_rng(1).integers(0, top, shape).astype(dtype)


def test_luma_is_not_copied():
    image = noise(48, 64)
    assert to_luma(image) is image


def test_a_last_axis_of_one_is_dropped_without_a_copy():
    image = noise(48, 64, 1)
    luma = to_luma(image)
    assert luma.shape == (48, 64)
    assert np.shares_memory(luma, image)


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("channels", [3, 4])
def test_colour_of_any_size_becomes_luma(shape, channels):
    image = np.full((*shape, channels), (10, 200, 90, 0)[:channels], np.uint8)
    luma = to_luma(image)
    assert luma.shape == shape
    assert luma.dtype == np.uint8
    assert luma.flags.c_contiguous
    assert abs(int(luma[0, 0]) - (0.114 * 10 + 0.587 * 200 + 0.299 * 90)) <= 1


def test_a_view_with_gaps_becomes_contiguous():
    image = noise(48, 64)[:, ::2]
    luma = to_luma(image)
    assert luma.flags.c_contiguous
    np.testing.assert_array_equal(luma, image)


@pytest.mark.parametrize(
    ("brightest", "bits"), [(1, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 16), (65535, 16)]
)
def test_16_bit_pictures_are_scaled_by_their_bit_depth(brightest, bits):
    image = np.array([[0, brightest // 2, brightest]], np.uint16)
    assert bit_depth(image) == bits
    expected = image.astype(float) / 2 ** (bits - 8)
    np.testing.assert_allclose(to_luma(image), np.minimum(expected, 255), atol=0.51)


def test_the_caller_can_fix_the_bit_depth():
    dark = np.full((4, 4), 900, np.uint16)
    assert to_luma(dark)[0, 0] == 225
    assert to_luma(dark, bits=16)[0, 0] == 4


def test_16_bit_colour_is_reduced_and_scaled():
    image = noise(8, 8, 3, dtype=np.uint16, top=65536)
    expected = cv2.cvtColor((image / 256).astype(np.uint8), cv2.COLOR_BGR2GRAY)
    np.testing.assert_allclose(to_luma(image), expected, atol=2)


def test_a_black_16_bit_picture_is_black():
    assert not to_luma(np.zeros((4, 4), np.uint16)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32, bool])
def test_other_types_have_no_scale(dtype):
    with pytest.raises(InputError, match="no known scale"):
        to_luma(np.zeros((4, 4), dtype))


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 5), (1, 4, 4, 3), (0, 4), (4, 0, 3)])
def test_other_shapes_are_no_picture(shape):
    with pytest.raises(InputError, match="shape"):
        to_luma(np.zeros(shape, np.uint8))
