import numpy as np
import pytest

from dms.simulator.driver import Driver, envelope
from dms.simulator.portrait import load_portrait
from dms.simulator.script import Script

EVENTS = [
    {"at": 1.0, "for": 2.0, "do": "eyes_closed"},
    {"at": 4.0, "for": 2.0, "do": "look", "yaw_deg": -40.0},
    {"at": 7.0, "for": 2.0, "do": "phone_at_ear"},
    {"at": 10.0, "for": 2.0, "do": "blocked"},
    {"at": 13.0, "for": 2.0, "do": "absent"},
    {"at": 17.0, "for": 3.0, "do": "yawn"},
    {"at": 21.0, "for": 1.0, "do": "sunglasses"},
    {"at": 23.0, "for": 1.0, "do": "gaze", "yaw_deg": 25.0},
    {"at": 25.0, "for": 1.0, "do": "lids", "openness": 0.3, "side": "left"},
    {"at": 27.0, "for": 1.0, "do": "light", "brightness": 0.4},
]


@pytest.fixture(scope="module")
def driver():
    data = {"duration_s": 30, "size": [320, 240], "seed": 3, "blinks": False, "events": EVENTS}
    return Driver(load_portrait(), Script.model_validate(data))


def test_a_frame_is_a_pure_function_of_time(driver):
    first, truth = driver.render(5.0)
    driver.render(11.0)
    again, same = driver.render(5.0)
    assert np.array_equal(first, again)
    assert truth.to_dict() == same.to_dict()


def test_a_closure_lasts_as_long_as_scripted(driver):
    times = np.arange(0.5, 4.0, 0.01)
    closed = [t for t in times if 1 - envelope(driver.script.events[0], t) < 0.5]
    assert closed[-1] - closed[0] == pytest.approx(2.0, abs=0.03)
    assert closed[0] == pytest.approx(1.06, abs=0.03)


def test_truth_tells_what_happens(driver):
    at = {t: driver.render(t)[1] for t in (0.5, 2.0, 5.0, 8.0, 11.0, 14.5, 18.5, 21.5, 23.5, 25.6)}
    assert at[0.5].events == ()
    assert min(at[0.5].openness) == 1.0
    assert at[2.0].openness == (0.0, 0.0)
    assert at[2.0].events == ("eyes_closed",)
    assert at[5.0].head[0] == pytest.approx(-40, abs=3)
    assert at[5.0].gaze[0] == pytest.approx(-40, abs=8)
    assert at[8.0].phone == "ear"
    assert at[11.0].blocked
    assert at[11.0].visibility == (0.0, 0.0)
    assert at[14.5].absent
    assert at[18.5].mouth_open > 0.5
    assert at[21.5].sunglasses
    assert at[21.5].visibility == (0.0, 0.0)
    assert at[23.5].gaze[0] - at[23.5].head[0] == pytest.approx(25, abs=2)
    assert at[25.6].openness == pytest.approx((1.0, 0.3), abs=0.01)


def test_pictures_show_it_too(driver):
    blocked, _ = driver.render(11.0)
    assert blocked.std() < 4
    empty, _ = driver.render(14.3)
    present, truth = driver.render(16.5)
    x, y = (int(v) for v in truth.box.center)
    assert abs(present[y, x].astype(int) - empty[y, x]).max() > 40
    assert driver.render(27.7)[0].mean() < 0.6 * present.mean()


def test_natural_blinks_come_every_few_seconds():
    driver = Driver(load_portrait(), Script.model_validate({"duration_s": 60, "size": [64, 64], "seed": 5}))
    closed = np.array([min(driver.render(k / 25)[1].openness) < 0.2 for k in range(60 * 25)])
    blinks = int((np.diff(closed.astype(int)) == 1).sum())
    assert 10 <= blinks <= 24


def test_json_rounds_and_hides_what_an_absent_driver_does_not_show(driver):
    row = driver.render(14.0)[1].to_dict()
    assert row["absent"] is True
    assert row["head_deg"] is None
    assert row["box"] is None
    full = driver.render(0.5)[1].to_dict()
    assert len(full["landmarks"]) == 60
    assert "landmarks" not in driver.render(0.5)[1].to_dict(landmarks=False)
