import json
from contextlib import closing

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dms.app import open_pipeline
from dms.calibration.cabin import RIGHTWARD, Look, cabin_of, measured
from dms.calibration.cabin_looks import by_zone, read_times, recorded, watched
from dms.cli import main
from dms.cli.calibrate import calibrate
from dms.config.cabin import meets_road
from dms.config.cabin_file import read_cabin
from dms.config.file import load_config
from dms.errors import InputError
from dms.resources import configs_folder
from dms.sources import open_source

CABINS = configs_folder() / "cabins"
SEEN = {
    "road": (30.0, -8.0),
    "driver_mirror": (69.0, -20.0),
    "inner_mirror": (1.0, 8.0),
    "cluster": (26.0, -33.0),
    "centre_display": (-3.0, -28.0),
}
"""By a camera on the passenger's side of a car with its wheel on the left, as seen in the image."""
DRIVE = """
size: [640, 360]
fps: 10
duration_s: 12
seed: 3
noise: 1.0
blinks: false
events:
  - {at: 3.0, for: 2.8, do: look, yaw_deg: 24, pitch_deg: -5}
  - {at: 3.0, for: 2.8, do: gaze, yaw_deg: 15, pitch_deg: -7}
  - {at: 6.0, for: 2.8, do: look, yaw_deg: -2, pitch_deg: -12}
  - {at: 6.0, for: 2.8, do: gaze, yaw_deg: -2, pitch_deg: -12}
  - {at: 9.0, for: 2.8, do: look, yaw_deg: -20, pitch_deg: 8}
  - {at: 9.0, for: 2.8, do: gaze, yaw_deg: -9, pitch_deg: 8}
"""
TIMES = "road: [0.5, 2.5]\ndriver_mirror: [3.7, 5.3]\ncluster: [6.7, 8.3]\ninner_mirror: [9.7, 11.3]\n"
READABLE, UNREADABLE = {"openness": 0.02, "gaze_deg": None}, {"openness": None, "gaze_deg": None}
TRUTH = {"driver_mirror": (-39, -12), "cluster": (4, -24), "inner_mirror": (29, 16)}


def looks(**changes):
    seen = {**SEEN, **changes}
    return {zone: Look(yaw, pitch, 2.0, 2.0, 60) for zone, (yaw, pitch) in seen.items()}


def test_zones_lie_where_they_were_seen_from_the_road():
    made = cabin_of("mine", "left", looks())
    assert set(made.zones) == set(SEEN) - {"road"}
    assert made.zones["driver_mirror"].holds(-39, -12)
    assert made.zones["inner_mirror"].holds(29, 16)
    assert made.zones["cluster"].holds(4, -25)
    assert made.zones["centre_display"].holds(33, -20)


def test_zones_with_little_room_between_them_are_parted_midway():
    made = cabin_of("mine", "left", looks(passenger_mirror=(-16.0, -14.0)))
    assert made.zones["passenger_mirror"].holds(46, -6)
    assert not made.zones["passenger_mirror"].overlaps(made.zones["centre_display"])


@pytest.mark.parametrize(
    ("zone", "seen", "pair"),
    [("glovebox", (-6.0, -30.0), "centre_display and glovebox"), ("lap", (31.0, -9.0), "road and lap")],
)
def test_zones_too_close_to_tell_apart_are_refused_by_name(zone, seen, pair):
    with pytest.raises(InputError, match=pair):
        cabin_of("mine", "left", looks(**{zone: seen}))


def test_a_wide_spread_makes_zones_close():
    wide = looks()
    wide["cluster"] = Look(*SEEN["cluster"], 12.0, 6.0, 60)
    with pytest.raises(InputError, match="cluster and centre_display"):
        cabin_of("mine", "left", wide)


def test_a_zone_on_the_side_where_it_cannot_be_is_refused():
    seen = looks()
    seen["passenger_mirror"] = seen.pop("driver_mirror")
    with pytest.raises(InputError, match=r"passenger_mirror was seen \d+ degrees to the driver's left"):
        cabin_of("mine", "left", seen)
    with pytest.raises(InputError, match=r"inner_mirror .* with the wheel on the right"):
        cabin_of("mine", "right", looks())


@pytest.mark.parametrize(
    ("zone", "seen", "told"),
    [
        (
            "cluster",
            (-10.6, -2.1),
            r"cluster was seen \+41 degrees aside and \+6 up, but lies below the road",
        ),
        ("lap", (-10.6, -2.1), r"lap was seen \+41 degrees aside and \+6 up, but lies below the road"),
        ("cluster", (-2.0, -36.0), "within 25 degrees to each side"),
        ("inner_mirror", (15.0, -1.0), r"inner_mirror was seen \+15 .* which is on the road"),
    ],
)
def test_a_zone_seen_where_it_cannot_be_is_refused(zone, seen, told):
    with pytest.raises(InputError, match=told):
        cabin_of(
            "mine",
            "left",
            {name: look for name, look in looks(**{zone: seen}).items() if name in ("road", zone)},
        )


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-60, 60),
    st.floats(-60, 40),
    st.sampled_from(["cluster", "lap", "centre_display", "driver_mirror"]),
)
def test_what_is_made_can_be_read_again_or_is_refused(yaw_deg, pitch_deg, zone):
    try:
        made = cabin_of(
            "mine",
            "left",
            {
                name: Look(yaw, pitch, 2.0, 2.0, 60)
                for name, (yaw, pitch) in (("road", (0.0, 0.0)), (zone, (-yaw_deg, pitch_deg)))
            },
        )
    except InputError:
        return
    assert not meets_road(made.zones[zone].yaw_deg, made.zones[zone].pitch_deg)


@pytest.mark.parametrize("name", sorted(path.stem for path in CABINS.glob("*.yaml")))
def test_the_shipped_zones_lie_on_the_sides_that_are_asked_for(name):
    cabin = read_cabin(name, CABINS)
    for zone, box in cabin.zones.items():
        if zone in RIGHTWARD:
            assert (sum(box.yaw_deg) > 0) == (RIGHTWARD[zone] == (cabin.wheel_side == "left")), zone


def test_nothing_is_measured_without_the_road():
    seen = looks()
    del seen["road"]
    with pytest.raises(InputError, match="road was not looked at"):
        cabin_of("mine", "left", seen)


def test_a_blink_in_a_look_moves_nothing():
    samples = [(40.0 + i % 3, -10.0) for i in range(30)] + [(0.0, -60.0)] * 5
    look = measured("driver_mirror", samples)
    assert (look.yaw_deg, look.pitch_deg) == (pytest.approx(41, abs=1), -10.0)
    with pytest.raises(InputError, match="driver_mirror: the gaze was read on 9 frames"):
        measured("driver_mirror", samples[:9])


def test_times_are_from_the_first_frame_and_checked(tmp_path):
    path = tmp_path / "times.yaml"
    path.write_text(TIMES)
    timed = ((500.0 + n / 10, (float(n), 0.0)) for n in range(120))
    found = by_zone(timed, read_times(path))
    assert [yaw for yaw, _ in found["road"]] == [float(n) for n in range(5, 26)]
    for wrong in ("driver_miror: [1, 2]", "lap: [2, 1]", "lap: soon", "- lap", "lap: ["):
        path.write_text(wrong)
        with pytest.raises(InputError, match=r"times\.yaml"):
            read_times(path)


@pytest.mark.parametrize(
    "wrong", ["lap: 12", "lap: [1, soon]", "lap: [1]", "- lap", "lap: [", "", "lap: [1, 2]\nlap: [3, 4]"]
)
def test_wrong_times_are_told_in_one_plain_line(tmp_path, wrong):
    path = tmp_path / "times.yaml"
    path.write_text(wrong)
    with pytest.raises(InputError) as told:
        read_times(path)
    assert str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)
    assert "pydantic" not in str(told.value)


def test_a_record_of_frames_is_read_where_the_judgement_could_read_an_eye(tmp_path):
    path = tmp_path / "frames.jsonl"
    rows = [
        {"schema": "dms.run/1"},
        {"schema": "dms.frame/1", "captured_s": 1.0, "gaze": [3.0, -4.0], "uncertainty": READABLE},
        {"schema": "dms.frame/1", "captured_s": 1.1, "gaze": [3.0, -4.0], "uncertainty": UNREADABLE},
        {"schema": "dms.frame/1", "captured_s": 1.2, "gaze": None, "uncertainty": UNREADABLE},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert list(recorded(path)) == [(1.0, (3.0, -4.0)), (1.1, None), (1.2, None)]
    path.write_text("{}\n")
    with pytest.raises(InputError, match="holds no frames"):
        list(recorded(path))
    path.write_text("{\n")
    with pytest.raises(InputError, match=r"frames\.jsonl line 1"):
        list(recorded(path))


@pytest.mark.parametrize("lacks", [{"captured_s": None}, {"gaze": [1.0]}, {"uncertainty": {}}])
def test_a_frame_that_lacks_what_is_needed_is_refused_by_line(tmp_path, lacks):
    frame = {"schema": "dms.frame/1", "captured_s": 1.0, "gaze": [3.0, -4.0], "uncertainty": READABLE}
    (tmp_path / "f.jsonl").write_text(json.dumps(frame) + "\n" + json.dumps({**frame, **lacks}) + "\n")
    with pytest.raises(InputError, match=r"f\.jsonl line 2 is no whole"):
        list(recorded(tmp_path / "f.jsonl"))


def run(*arguments):
    return CliRunner().invoke(calibrate, ["cabin", "--wheel-side", "left", *map(str, arguments)])


def near_truth(path):
    made = read_cabin(str(path), CABINS)
    assert {zone for zone, (yaw, pitch) in TRUTH.items() if made.zones[zone].holds(yaw, pitch)} == set(TRUTH)
    centres = {zone: [sum(box.yaw_deg) / 2, sum(box.pitch_deg) / 2] for zone, box in made.zones.items()}
    assert {zone: pytest.approx(TRUTH[zone], abs=8.0) for zone in TRUTH} == centres


def test_a_simulated_driver_is_calibrated_by_times(tmp_path):
    (tmp_path / "drive.yaml").write_text(DRIVE)
    (tmp_path / "times.yaml").write_text(TIMES)
    source = f"sim:{tmp_path / 'drive.yaml'}"
    done = run("--source", source, "--times", tmp_path / "times.yaml", "--out", tmp_path / "mine.yaml")
    assert done.exit_code == 0, done.output
    assert "3 zones" in done.output
    near_truth(tmp_path / "mine.yaml")


def test_a_drive_and_its_record_give_the_same_looks(tmp_path):
    """One that shows nothing but a turned head for a while, whose eyes are not to be believed."""
    turned = "  - {at: 1.0, for: 1.5, do: look, yaw_deg: 62, pitch_deg: 0}\n"
    (tmp_path / "drive.yaml").write_text(DRIVE.replace("events:\n", f"events:\n{turned}"))
    source = f"sim:{tmp_path / 'drive.yaml'}"
    done = CliRunner().invoke(main, ["analyze", source, "--out", str(tmp_path / "frames.jsonl")])
    assert done.exit_code == 0, done.output
    config = load_config([], [f"source.uri={source}", "source.realtime=false"])
    with closing(open_source(config.source)) as frames, open_pipeline(config, session="test") as pipeline:
        live = list(watched(frames, pipeline, config))
    told = list(recorded(tmp_path / "frames.jsonl"))[: len(live)]
    assert [gaze is None for _, gaze in told] == [gaze is None for _, gaze in live]
    assert 5 < sum(gaze is None for _, gaze in live) < len(live) / 2
    for (at_s, seen), (told_s, read) in zip(live, told, strict=True):
        assert told_s == pytest.approx(at_s)
        assert read == (seen and pytest.approx(seen, abs=0.051))


def test_a_simulated_driver_is_calibrated_by_asking(tmp_path):
    (tmp_path / "drive.yaml").write_text(DRIVE)
    source = f"sim:{tmp_path / 'drive.yaml'}"
    done = run(
        *("--source", source, "--zones", "driver_mirror,cluster,inner_mirror", "--seconds", "2.4"),
        *("--out", tmp_path / "mine.yaml"),
    )
    assert done.exit_code == 0, done.output
    near_truth(tmp_path / "mine.yaml")


def test_what_cannot_be_calibrated_leaves_no_file(tmp_path):
    out = tmp_path / "mine.yaml"
    assert run("--from", tmp_path / "none.jsonl", "--out", out).exit_code == 2
    (tmp_path / "times.yaml").write_text(TIMES)
    missing = run("--from", tmp_path / "none.jsonl", "--times", tmp_path / "times.yaml", "--out", out)
    assert isinstance(missing.exception, InputError)
    assert run("--zones", "driver_miror", "--out", out).exit_code == 2
    assert not out.exists()
