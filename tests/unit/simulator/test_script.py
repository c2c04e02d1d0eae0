from itertools import pairwise

import pytest

from dms.errors import InputError
from dms.simulator.script import load_script


def write(tmp_path, text):
    path = tmp_path / "drive.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_demo_is_calm_first_and_its_events_lie_apart():
    script = load_script("demo")
    assert script.size == (640, 360)
    assert 75 <= script.duration_s <= 90
    loud = sorted((e for e in script.events if e.do != "blink"), key=lambda e: e.at_s)
    assert loud[0].at_s >= 12
    assert all(b.at_s - a.end_s >= 4 for a, b in pairwise(loud))
    wanted = {"look", "eyes_closed", "yawn", "phone_at_ear", "blocked", "absent", "sunglasses"}
    assert wanted <= {e.do for e in loud}


def test_a_small_script(tmp_path):
    path = write(tmp_path, "duration_s: 4\nevents:\n  - {at: 1, for: 2, do: look, yaw_deg: -30}\n")
    script = load_script(path)
    assert script.frames == 120
    assert script.events[0].end_s == 3


def test_a_portrait_is_looked_for_beside_its_script(tmp_path):
    script = load_script(write(tmp_path, "duration_s: 4\nportrait: me.npz\n"))
    assert script.portrait == str(tmp_path / "me.npz")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("duration_s: 4\nspeed: 3\n", "speed: Extra inputs"),
        ("duration_s: 4\nevents: [{at: 1, for: 1, do: dance}]\n", "events.0.*dance"),
        ("duration_s: 4\nevents: [{at: 1, for: 1, do: look, yaw_deg: 200}]\n", "events.0.*yaw_deg"),
        ("duration_s: 4\nevents: [{at: 3, for: 2, do: yawn}]\n", "ends at 5 s, after duration_s 4"),
        ("duration_s: 4\nevents: [{at: 3, do: yawn}]\n", "for: Field required"),
        ("duration_s: soon\n", "duration_s: Input should be a valid number"),
        ("duration_s: .nan\n", "duration_s"),
        ("events: []\n", "duration_s: Field required"),
        ("duration_s: 4\nsize: [641, 360]\n", "width and height must be even"),
        ("duration_s: 4\nsize: [640]\n", "size"),
        ("- a list\n", "is no script"),
        ("", "is no script"),
        ("a: [1\n", "no valid YAML"),
    ],
)
def test_a_wrong_script_is_told_what_is_wrong(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=says) as caught:
        load_script(path)
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="give a YAML file, or demo"):
        load_script(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="cannot read the script"):
        load_script(tmp_path)
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="it is no text"):
        load_script(binary)
