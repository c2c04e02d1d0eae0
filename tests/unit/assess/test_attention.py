"""The signals of gaze and hands, by stories with known angles, at many rates."""

import random
from dataclasses import replace

import pytest

from dms.alerts import load_profile
from dms.assess import Assessor
from dms.config.assess import AssessConfig
from dms.config.cabin_file import read_cabin
from dms.records import Context, DriverState, Turn, UnknownCause, Vehicle
from dms.resources import configs_folder
from dms.testing import Scene, Story, watch

CONFIG = AssessConfig()
SALOON = read_cabin("saloon", configs_folder() / "cabins")
RATES = (5.0, 12.0, 30.0, 60.0, 120.0)
KNOWN_S = 10.0


def at(fps=30.0, **shake):
    return Story(fps, **shake).attentive(KNOWN_S)


def look(yaw_deg, pitch_deg, **more):
    """A look as the driver sees it: yaw + to his right, so - in the image."""
    return Scene(
        head_yaw_deg=-0.6 * yaw_deg,
        head_pitch_deg=0.6 * pitch_deg,
        gaze_yaw_deg=-yaw_deg,
        gaze_pitch_deg=pitch_deg,
        **more,
    )


MIRROR = look(-39, -12)
CLUSTER = look(4, -25)
LAP = look(13, -50)
DISPLAY = look(33, -20)


def judged(story, wheel_side="left", cabin=SALOON):
    assessor = Assessor(CONFIG, cabin, wheel_side)
    return [assessor.update(observation) for observation in story.observations()]


def last(story, name, **cabin):
    return judged(story, **cabin)[-1].signals[name].value


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize(
    ("scene", "free_s"), [(MIRROR, 1.0), (CLUSTER, 1.0), (DISPLAY, 0.0), (LAP, 0.0)], ids=str
)
def test_the_first_second_on_mirror_and_gauges_is_free(fps, scene, free_s):
    final = judged(at(fps).then(2.4, scene))[-1].signals
    assert final["glance_s"].value == pytest.approx(2.4, abs=1.01 / fps)
    assert final["off_road_s"].value == pytest.approx(2.4 - free_s, abs=1.01 / fps + 0.02)
    assert final["off_road_30s"].value == pytest.approx(2.4, abs=1.01 / fps + 0.02)


def test_a_mirror_is_strict_while_the_wheel_side_is_not_known():
    assert last(at().then(2.4, MIRROR), "off_road_s", wheel_side=None) == pytest.approx(2.4, abs=0.05)
    assert last(at().then(2.4, MIRROR), "off_road_s", cabin=None) == pytest.approx(2.4, abs=0.05)


def test_the_free_second_comes_once_a_glance_and_again_after_two_on_the_road():
    there_and_back = at().then(0.8, MIRROR).then(1.0, LAP).then(0.8, MIRROR)
    assert last(there_and_back, "off_road_s") == pytest.approx(1.6, abs=0.12)
    again = at().then(1.5, MIRROR).attentive(2.1).then(1.5, MIRROR)
    assert last(again, "off_road_s") == pytest.approx(0.5, abs=0.06)
    too_soon = at().then(1.5, MIRROR).attentive(1.8).then(1.5, MIRROR)
    assert last(too_soon, "off_road_s") == pytest.approx(1.5, abs=0.06)


def test_rows_of_free_seconds_are_not_free():
    story = at()
    for _ in range(8):
        story.then(1.0, CLUSTER).attentive(0.36)
    final = judged(story)[-1].signals
    assert final["off_road_30s"].value == pytest.approx(8.0, abs=0.3)
    assert final["attend_buffer_s"].value < 1.0


@pytest.mark.parametrize("fps", RATES)
def test_area_3_is_timed_at_any_rate_and_nothing_above_it(fps):
    assert last(at(fps).then(4.0, look(10, -31)), "area3_s") == pytest.approx(4.0, abs=1.01 / fps)
    assert last(at(fps).then(4.0, look(10, -29)), "area3_s") == 0.0
    assert last(at(fps).then(4.0, look(56, -40)), "area3_s") == 0.0


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
def test_in_out_and_back_in_does_not_reset_area_3(fps):
    story = at(fps).then(3.0, LAP).attentive(0.2).then(2.0, LAP)
    assert last(story, "area3_s") == pytest.approx(5.2, abs=1.01 / fps)
    left = at(fps).then(3.0, LAP).attentive(0.6).then(2.0, LAP)
    assert last(left, "area3_s") == pytest.approx(2.0, abs=1.01 / fps + 0.1)


def test_the_head_stands_in_for_hidden_eyes_in_area_3():
    down = Scene(head_pitch_deg=-35, visibility=0.1)
    final = judged(at().then(4.0, down))[-1]
    assert final.signals["area3_s"].value == pytest.approx(4.0, abs=0.05)
    assert (final.gaze_source, final.confidence) == ("head", 0.5)


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
def test_r171_counts_mirrors_and_windows_as_the_driving_task_but_no_dashboard(fps):
    assert last(at(fps).then(4.0, MIRROR), "off_task_s") == pytest.approx(0.0, abs=0.3)
    assert last(at(fps).then(4.0, look(-70, 0)), "off_task_s") == pytest.approx(0.0, abs=0.3)
    assert last(at(fps).then(4.0, CLUSTER), "off_task_s") == pytest.approx(4.0, abs=1.01 / fps)
    back = at(fps).then(3.0, LAP).attentive(0.4)
    assert last(back, "off_task_s") == 0.0
    short = at(fps).then(3.0, LAP).attentive(0.1).then(1.0, LAP)
    assert last(short, "off_task_s") == pytest.approx(4.1, abs=1.01 / fps)


@pytest.mark.parametrize("fps", RATES)
def test_the_attend_buffer_drains_fills_and_waits_in_mirrors(fps):
    near = 1.01 / fps + 0.02
    assert last(at(fps).then(1.2, LAP), "attend_buffer_s") == pytest.approx(0.8, abs=near)
    assert last(at(fps).then(2.5, LAP), "attend_buffer_s") == pytest.approx(0.0, abs=near)
    assert last(at(fps).then(1.6, MIRROR), "attend_buffer_s") == pytest.approx(1.4, abs=near)
    refilled = at(fps).then(2.5, LAP).attentive(1.1)
    assert last(refilled, "attend_buffer_s") == pytest.approx(1.0, abs=2 * near)


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
def test_glances_of_the_last_minute_are_counted_and_averaged(fps):
    story = at(fps)
    for _ in range(5):
        story.then(0.8, DISPLAY).then(1.2, MIRROR).attentive(4)
    final = judged(story)[-1].signals
    assert final["glances_60s"].value == 5
    assert final["mean_glance_s"].value == pytest.approx(2.0, abs=1.5 / fps)
    gone = judged(story.attentive(61))[-1].signals
    assert (gone["glances_60s"].value, gone["mean_glance_s"].value) == (0, None)


@pytest.mark.parametrize("seed", range(6))
def test_noise_neither_starts_nor_ends_a_glance(seed):
    calm = judged(Story(noise_deg=8, seed=seed).attentive(60))[-1].signals
    assert calm["glances_60s"].value == 0
    away = judged(Story(noise_deg=8, seed=seed).attentive(KNOWN_S).then(3.0, DISPLAY))[-1].signals
    assert away["glance_s"].value == pytest.approx(3.0, abs=0.35)
    assert away["glances_60s"].value == 0


@pytest.mark.parametrize("seed", range(6))
def test_lost_frames_and_jitter_change_no_measure(seed):
    shaken = at(jitter_s=(0.02, 0.2), drop=0.05, seed=seed).then(3.0, MIRROR)
    final = judged(shaken)[-1].signals
    assert final["off_road_s"].value == pytest.approx(2.0, abs=0.45)
    assert final["attend_buffer_s"].value == pytest.approx(0.0, abs=0.45)


def test_an_unsure_gaze_needs_to_be_farther_away():
    assert last(at().then(2.0, Scene(gaze_yaw_deg=24)), "glance_s") == pytest.approx(2.0, abs=0.2)
    assert last(at().then(2.0, Scene(gaze_yaw_deg=24, gaze_sigma_deg=14)), "glance_s") == 0.0


def test_a_gaze_too_unsure_leaves_it_to_the_head_with_less_confidence():
    sure, unsure = (judged(at().then(1.0, Scene(gaze_sigma_deg=sigma)))[-1] for sigma in (6.0, 20.0))
    assert (sure.gaze_source, sure.confidence) == ("gaze", 1.0)
    assert (unsure.gaze_source, unsure.confidence) == ("head", 0.5)


def test_eyes_lost_in_a_glance_pause_it_and_do_not_end_it():
    hidden = replace(Scene(gaze_yaw_deg=40), visibility=0.1)
    lost = at().then(2.0, Scene(gaze_yaw_deg=40)).then(2.0, hidden)
    assert last(lost, "glance_s") is None
    found = lost.then(1.0, Scene(gaze_yaw_deg=40))
    assert last(found, "glance_s") == pytest.approx(3.0, abs=0.1)


HIDDEN = Scene(gaze_yaw_deg=40, visibility=0.1)
SIGNALS_OF_GAZE = ("off_road_s", "off_road_30s", "off_task_s", "area3_s", "attend_buffer_s")


def test_hiding_the_eyes_does_not_end_a_look_that_they_began():
    hidden = at().then(4.0, look(13, -50)).then(12.0, HIDDEN)
    final = judged(hidden)[-1]
    assert [final.signals[name].value for name in SIGNALS_OF_GAZE] == [None] * 5
    assert final.state is DriverState.UNKNOWN
    assert last(hidden.attentive(1.0), "off_road_s") == 0.0


def test_eyes_hidden_for_good_leave_it_to_the_head_once_it_has_turned_away_and_back():
    turned = replace(HIDDEN, head_yaw_deg=40)
    story = at().then(2.0, Scene(gaze_yaw_deg=40)).then(6.0, HIDDEN).then(1.5, turned)
    assert last(story, "off_road_s") == pytest.approx(1.5, abs=0.1)
    assert last(story.then(1.0, HIDDEN), "off_road_s") == 0.0


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
def test_a_blink_does_not_shorten_a_look_away(fps):
    blink = replace(LAP, openness=0.05, head_pitch_deg=0.0)
    story = at(fps).then(2.0, LAP).then(0.25, blink).then(1.5, LAP)
    for name in ("off_road_s", "area3_s", "off_task_s", "off_road_30s"):
        assert last(story, name) == pytest.approx(3.75, abs=1.01 / fps + 0.05), name
    home = at(fps).then(2.0, LAP).then(0.3, blink).attentive(1.0)
    assert last(home, "off_road_s") == 0.0


def test_a_closure_too_long_for_a_blink_is_no_look_away():
    story = at().then(2.0, DISPLAY).closed(1.5).then(0.5, DISPLAY)
    assert last(story, "off_road_s") == pytest.approx(3.0, abs=0.1)  # the beginning might have been a blink


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
def test_closed_eyes_are_off_the_task_from_their_closing_and_blinks_are_not(fps):
    assert last(at(fps).closed(20), "off_task_s") == pytest.approx(20.0, abs=1.01 / fps)
    assert last(at(fps).closed(0.4), "off_task_s") == 0.0
    assert last(at(fps).closed(20).attentive(0.5), "off_task_s") == 0.0
    both = at(fps).then(4.5, LAP).closed(3.3).then(4.5, LAP).closed(3.3)
    assert last(both, "off_task_s") == pytest.approx(15.6, abs=2.02 / fps + 0.05)


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("phone_s", Scene(phone=0.9)),
        ("eating_s", Scene(eating=0.9)),
        ("smoking_s", Scene(smoking=0.9)),
    ],
)
@pytest.mark.parametrize("fps", [5.0, 30.0, 120.0])
def test_each_activity_of_the_hands_is_timed_alone(name, scene, fps):
    final = judged(at(fps).then(3.0, scene))[-1].signals
    assert final[name].value == pytest.approx(3.0, abs=1.01 / fps)
    assert all(final[other].value == 0.0 for other in ("phone_s", "eating_s", "smoking_s") if other != name)


def forward_after(vehicle):
    assessor = Assessor(CONFIG, SALOON)
    for seen in Story(10).then(30, Scene(head_yaw_deg=12, gaze_yaw_deg=12)).observations():
        final = assessor.update(replace(seen, context=Context(vehicle, configured=True)))
    return final.learned["forward"]


def test_the_forward_direction_is_learned_only_while_driving_ahead():
    assert forward_after(Vehicle()) == pytest.approx(0.5, abs=0.02)
    assert forward_after(Vehicle(speed_kmh=50.0, turn=Turn.HAZARD)) == pytest.approx(0.5, abs=0.02)
    for elsewhere in (
        Vehicle(speed_kmh=0.0),
        Vehicle(speed_kmh=5.0, reversing=True),
        Vehicle(speed_kmh=30.0, turn=Turn.LEFT),
        Vehicle(speed_kmh=30.0, steering_deg=-60.0),
    ):
        assert forward_after(elsewhere) == 0.0


def test_a_head_too_unsure_to_judge_by_teaches_no_forward_direction():
    aside = Scene(head_yaw_deg=38, visibility=0.1)
    unsure = Story().then(40, replace(aside, head_sigma_deg=30))
    final = judged(unsure)[-1]
    assert (final.gaze_source, final.learned["forward"], final.baseline["head_yaw_deg"]) == (None, 0.0, 0.0)
    assert final.signals["calibrating"].value == 1.0
    known = at().then(40, replace(aside, head_sigma_deg=30)).then(8, aside)
    assert last(known, "off_road_s") == pytest.approx(8.0, abs=0.1)


def test_the_wheel_side_is_learned_on_the_road_by_mirror_glances():
    story = at()
    for _ in range(9):
        story.attentive(4).then(0.9, look(29, 16))
    final = judged(story.attentive(2), wheel_side=None)[-1]
    assert final.learned["wheel_side"] > 0.8
    assert last(story.then(2.4, MIRROR), "off_road_s", wheel_side=None) == pytest.approx(1.4, abs=0.06)


def test_the_zone_is_told():
    zones = [judged(at().then(1.0, scene))[-1].zone for scene in (Scene(), MIRROR, CLUSTER, LAP, DISPLAY)]
    assert zones == ["road", "driver_mirror", "cluster", "lap", "centre_display"]


MEASURES = ("glance_s", "off_road_s", "off_road_30s", "area3_s", "off_task_s", "attend_buffer_s")
PLACES = (Scene(), Scene(), MIRROR, CLUSTER, LAP, DISPLAY)


def drive(fps, seed):
    """Twelve looks at random places, each longer than any bridge, at least two frames from every edge."""
    chance = random.Random(seed)
    story = at(fps)
    for _ in range(12):
        story.then(chance.uniform(0.8, 4.0), chance.choice(PLACES))
    return story


@pytest.mark.parametrize("seed", range(6))
def test_any_drive_measures_the_same_at_any_rate(seed):
    fine = judged(drive(120.0, seed))[-1].signals
    for fps in (8.0, 25.0, 60.0):
        coarse = judged(drive(fps, seed))[-1].signals
        # an edge between two looks is known to a frame, and up to thirteen of them add up
        for name in MEASURES:
            assert coarse[name].value == pytest.approx(fine[name].value, abs=4 / fps + 0.05), (name, fps)
        assert coarse["glances_60s"].value == fine["glances_60s"].value


ALERT = load_profile("euroncap_2026")


def looked_about(story, seconds, scene):
    """Most of the time on one place, with a glance at a mirror every five seconds."""
    for _ in range(round(seconds / 5)):
        story.then(4.0, scene).then(1.0, MIRROR)
    return story


def test_a_long_look_aside_never_becomes_the_road():
    played = watch(Story(15).driving(90).attentive(8).then(200, DISPLAY), CONFIG, ALERT, cabin=SALOON)
    assert not any(alert.evidence.get("ended_by") == "cleared" for alert in played.alerts)
    assert played.assessments[-1].state is DriverState.UNRESPONSIVE


def test_a_row_of_looks_aside_is_a_doubt_and_no_all_clear():
    story = looked_about(Story(15).driving(90).attentive(8), 40, DISPLAY)
    played = watch(story, CONFIG, ALERT, cabin=SALOON)
    assert not any(alert.evidence.get("ended_by") == "cleared" for alert in played.alerts)
    assert played.assessments[-1].state is DriverState.UNKNOWN
    assert UnknownCause.CALIBRATING in played.assessments[-1].unknown_causes


def test_ten_seconds_on_the_phone_at_the_start_make_no_false_alert():
    story = Story(15).driving(90).look_at("dash_phone", 10).attentive(60)
    played = watch(story, CONFIG, ALERT, cabin=SALOON)
    assert played.alerts == ()
    assert played.assessments[-1].state is DriverState.ATTENTIVE


def test_five_minutes_beside_the_road_at_a_speed_nobody_knows_heal_within_three():
    story = looked_about(Story(10).driving(None).then(300, DISPLAY), 180, Scene()).attentive(5)
    final = judged(story)[-1]
    assert final.state is DriverState.ATTENTIVE
    assert final.baseline["gaze_yaw_deg"] == pytest.approx(0, abs=3)
