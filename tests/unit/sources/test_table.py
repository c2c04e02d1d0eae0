import os
import subprocess
import sys

import cv2
import pytest

from dms.config import SourceConfig
from dms.errors import InputError
from dms.sources import SOURCES, form_of, open_source


def test_opening_any_source_keeps_opencv_to_one_thread():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        open_source(SourceConfig(uri="sim:demo", realtime=False)).close()
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize(
    ("uri", "form"),
    [
        ("0", "device"),
        ("12", "device"),
        ("/dev/video0", "device"),
        ("/dev/v4l/by-id/usb-cam-index0", "device"),
        ("rtsp://user:secret@10.0.0.1:554/live", "stream"),
        ("RTSPS://10.0.0.1/live", "stream"),
        ("http://127.0.0.1/cam.mjpg", "stream"),
        ("https://example.org/cam.mjpg", "stream"),
        ("sim:demo", "sim"),
        ("sim:scripts/tired.yaml", "sim"),
    ],
)
def test_the_form_of_a_uri_chooses_the_source(uri, form):
    assert form_of(uri) == form
    assert form in SOURCES


def test_paths_are_told_apart_by_what_lies_there(tmp_path):
    clip = tmp_path / "0.mp4"
    clip.touch()
    assert form_of(str(clip)) == "file"
    assert form_of(str(tmp_path)) == "folder"
    assert form_of(f"{tmp_path}/") == "folder"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("", "no such file"),
        ("nowhere.mp4", "no such file"),
        ("nowhere/", "no such file"),
        ("ftp://host/clip.mp4", "scheme"),
        ("rtsp://", "scheme"),
        ("-1", "no such file"),
    ],
)
def test_an_unknown_form_lists_the_accepted_ones(uri, why):
    with pytest.raises(InputError, match=why) as caught:
        open_source(SourceConfig(uri=uri))
    for form in ("/dev/video0", "rtsp://", "clip.mp4", "pictures/", "sim:"):
        assert form in str(caught.value)


def test_a_pipe_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        form_of(str(tmp_path / "pipe"))


def test_choosing_loads_no_source():
    code = "import sys, dms.sources; print([m for m in sys.modules if m.startswith(('cv2', 'dms.sources.'))])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
