import pytest

from dms.config import Config
from dms.recording.redaction import Redactor


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("profiles/jane_doe.yaml", "…"),
        ("jane_doe.yml", "…"),
        ("cannot read ./jane/doe, gone", "cannot read …, gone"),
        ("cannot read ../jane/doe", "cannot read …"),
        ("cannot read 'jane/clip.mp4'", "cannot read '…'"),
        ("file:cabins/jane.yaml, line 3", "file:…, line 3"),
        ("/home/jane/x and ~/jane", "… and …"),
        ("rtsp://jane@cam/main", "…"),
        (r"C:\jane\x", "…"),
        ("at 192.168.7.20:80", "at …:80"),
    ],
)
def test_paths_and_addresses_are_left_out(text, left):
    assert Redactor([]).text(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "60 km/h of 1/2 at 0.5 s",
        "dms.frame/1",
        "int8/fp32 or cpu.int8 by ort",
        "eyes off the road/ahead.",
        "1/30.5",
    ],
)
def test_what_is_no_path_stays(text):
    assert Redactor([]).text(text) == text


def test_of_the_configuration_no_path_is_told():
    config = Config.model_validate(
        {
            "alerts": {"profiles": ["fleet_guardian", "jane_doe.yaml", "of jane/doe"]},
            "cabin": {"geometry": "my cabins/jane doe.yaml"},
        }
    )
    told = Redactor([]).config(config)
    assert told["alerts"]["profiles"] == ["fleet_guardian", "…", "…"]
    assert told["cabin"] == {"geometry": "…", "driver_side": "auto"}
    assert told["engines"]["eyes"] == config.engines.model_dump(mode="json")["eyes"]
