import logging

import cv2
import numpy as np
import pytest

from dms.config import SourceConfig
from dms.errors import InputError, SourceEnded
from dms.sources.folder import FolderSource


def write(folder, name, image=None):
    assert cv2.imwrite(str(folder / name), np.full((16, 16), 90, np.uint8) if image is None else image)


def play(folder, **config):
    source = FolderSource(SourceConfig(**{"uri": str(folder), "realtime": False, **config}))
    frames = []
    while True:
        try:
            frames.append(source.newest(1.0))
        except SourceEnded:
            return frames


def times(frames):
    return [frame.captured_s for frame in frames]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["12.500.png", "9.25.png"], [9.25, 12.5]),
        (["a_1s.png", "b_0.5s.png"], [0.5, 1.0]),
        (["cam-1000ms.png", "cam-40ms.png"], [0.04, 1.0]),
        (["1700000000100.jpg", "1700000000000.jpg"], [1700000000.0, 1700000000.1]),
        (["10.png", "2.png", "1.png"], [0.0, 0.05, 0.1]),
    ],
)
def test_names_hold_times_or_else_the_rate_does(tmp_path, names, expected):
    for name in names:
        write(tmp_path, name)
    assert times(play(tmp_path, fps=20.0)) == pytest.approx(expected)


def test_the_rate_follows_from_the_times(tmp_path):
    for time_ms in (0, 100, 200, 900):
        write(tmp_path, f"{time_ms}ms.png")
    assert FolderSource(SourceConfig(uri=str(tmp_path))).fps == pytest.approx(10.0)


def test_names_without_times_are_in_natural_order(tmp_path):
    for i, name in enumerate(["frame2.png", "frame10.png", "frame11.png"]):
        write(tmp_path, name, np.full((4, 4), 10 * i, np.uint8))
    assert [frame.image[0, 0] for frame in play(tmp_path)] == [0, 10, 20]


@pytest.mark.parametrize("heading", ["", "name,seconds\n"])
def test_a_table_of_times_goes_first(tmp_path, heading):
    for name in ("1ms.png", "b.png", "unlisted.png"):
        write(tmp_path, name)
    (tmp_path / "timestamps.csv").write_text(f"{heading}b.png,7.5\n1ms.png,8\n")
    assert times(play(tmp_path)) == [7.5, 8.0]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("a.png,1\nb.png\n", "line 2: expected name,seconds"),
        ("a.png,1\ngone.png,2\n", "line 2: no picture 'gone.png'"),
        ("a.png,1\nb.png,1\n", "a.png and b.png have the same time"),
        ("", "lists no picture"),
        ("name,seconds\n", "lists no picture"),
        ("a.png,nan\nb.png,nan\n", "line 2: expected"),
    ],
)
def test_a_wrong_table_says_where(tmp_path, table, why):
    write(tmp_path, "a.png")
    write(tmp_path, "b.png")
    (tmp_path / "timestamps.csv").write_text(table)
    with pytest.raises(InputError, match=why):
        play(tmp_path)


def test_names_that_do_not_fit_each_other_are_refused(tmp_path):
    write(tmp_path, "1.5s.png")
    write(tmp_path, "other.png")
    with pytest.raises(InputError, match=r"other\.png"):
        play(tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="holds no picture"):
        play(tmp_path)


def test_pictures_none_of_which_is_one_are_refused(tmp_path):
    (tmp_path / "1s.png").write_text("no picture")
    with pytest.raises(InputError, match="none of the 1 pictures"):
        play(tmp_path)


def test_a_broken_picture_is_skipped_with_a_warning(tmp_path, caplog):
    write(tmp_path, "1s.png")
    (tmp_path / "2s.png").write_text("no picture")
    write(tmp_path, "3s.png")
    with caplog.at_level(logging.WARNING):
        assert times(play(tmp_path)) == [1.0, 3.0]
    assert "2s.png" in caplog.text


def test_grey_colour_alpha_and_16_bits_all_become_luma(tmp_path):
    write(tmp_path, "1s.png", np.full((16, 16), 100, np.uint8))
    write(tmp_path, "2s.png", np.full((16, 16, 3), 100, np.uint8))
    write(tmp_path, "3s.png", np.full((16, 16, 4), 100, np.uint8))
    write(tmp_path, "4s.png", np.full((16, 16), 100 << 8, np.uint16))
    write(tmp_path, "5s.jpg", np.full((17, 33, 3), 100, np.uint8))
    frames = play(tmp_path)
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - 100).max() <= 1
    assert frames[-1].image.shape == (17, 33)


def test_a_dark_16_bit_picture_keeps_the_scale_of_the_bright_ones(tmp_path):
    write(tmp_path, "1s.png", np.full((4, 4), 60000, np.uint16))
    write(tmp_path, "2s.png", np.full((4, 4), 1000, np.uint16))
    assert [frame.image[0, 0] for frame in play(tmp_path)] == [234, 4]
