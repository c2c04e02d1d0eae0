"""Lids, blinks, yawns and nods; and all that looks like sleep and is none."""

from dms.records import DriverState
from tests.scenarios.must import At, Clears, Has, NeverSays, Within
from tests.scenarios.telling import story

MICROSLEEP, SLEEP, UNRESPONSIVE = "fatigue.microsleep", "fatigue.sleep", "driver.unresponsive"
ASLEEP, ATTENTIVE, DROWSY = DriverState.ASLEEP, DriverState.ATTENTIVE, DriverState.DROWSY


@story("nods off for 2 s", At(1.5, MICROSLEEP), Clears(4.5, "fatigue.*"))
def microsleep(driver):
    driver.closed(2.0).attentive(5)


@story("sleeps for 4 s", At(1.5, MICROSLEEP), At(3.0, SLEEP))
def sleep(driver):
    driver.closed(4.0).attentive(5)


@story("does not wake up", At(1.5, MICROSLEEP), At(3.0, SLEEP), At(6.0, UNRESPONSIVE))
def unresponsive(driver):
    driver.closed(8.0).attentive(5)


@story("closes his eyes for 0.9 s, five times in a minute")
def long_blinks(driver):
    for _ in range(5):
        driver.attentive(11).closed(0.9)
    driver.attentive(3)


@story(
    "blinks 30 times a minute, as in dry air",
    Has(58, "perclos_60s", 0.0, 0.001),
    NeverSays(0, 60, ASLEEP),
)
def dry_air(driver):
    driver.blinking(60, blink_s=0.15, every_s=2.0)


@story(
    "is asleep from the first frame on",
    At(1.5, MICROSLEEP, 0.5),
    At(3.0, SLEEP, 0.5),
    At(6.0, UNRESPONSIVE, 0.5),
    lead=False,
)
def asleep_at_once(driver):
    driver.driving(90).closed(8)


@story("has narrow eyes by birth", NeverSays(0, 40, ASLEEP), NeverSays(0, 40, DROWSY), lead=False)
def narrow_eyes(driver):
    driver.driving(90).usually(openness=0.3, closed=0.1)
    for _ in range(10):
        driver.attentive(3.8).but(0.2, openness=0.05, closed=0.95)


@story("has narrow eyes, and falls asleep", At(1.5, MICROSLEEP), lead=False)
def narrow_eyes_asleep(driver):
    driver.driving(90).usually(openness=0.35, closed=0.1).attentive(70).here()
    driver.but(2.0, openness=0.05, closed=0.97).attentive(5)


@story("has a hanging lid on one side", Has(30, "closure_s", 0.0, 0.0), lead=False)
def ptosis(driver):
    driver.driving(90).usually(shut_eye="right").attentive(30).attentive(1)


@story("sees with one eye only, and closes it", At(1.5, MICROSLEEP), lead=False)
def one_eye(driver):
    driver.driving(90).one_eye().attentive(20).here().closed(2.0).attentive(5)


@story("winks with one eye for 8 s")
def wink(driver):
    driver.one_eye_shut(8).attentive(3)


@story("laughs for 8 s, eyes narrow", NeverSays(0, 8, ASLEEP))
def laugh(driver):
    driver.laugh(8).attentive(5)


@story("squints into low sun for 20 s", NeverSays(0, 20, ASLEEP), Has(19, "closure_s", 0.0, 0.0))
def low_sun(driver):
    driver.squint(20).attentive(5)


@story("squints into low sun all the way: no drowsiness comes of it", Has(80, "perclos_60s", 0.0, 0.07))
def long_sun(driver):
    driver.attentive(20).squint(60).attentive(5)


@story("falls asleep behind glasses, whose rims read half-open", At(1.5, MICROSLEEP), lead=False)
def glasses(driver):
    driver.driving(90).wear_glasses().attentive(70).here().but(2.0, openness=0.16, closed=0.9).attentive(5)


@story("puts glasses on and takes them off again", NeverSays(0, 60, ASLEEP), NeverSays(0, 60, DROWSY))
def glasses_on_and_off(driver):
    for _ in range(3):
        driver.usually(glasses=0.95, openness=0.6, closed=0.1).blinking(12)
        driver.usually(glasses=0.02, openness=0.9, closed=None).blinking(12)


@story("puts glasses on, and falls asleep behind them", At(1.5, MICROSLEEP))
def glasses_then_sleep(driver):
    driver.attentive(20).wear_glasses().attentive(30).here()
    driver.but(2.0, openness=0.16, closed=0.9).attentive(5)


@story(
    "wears glasses in which lights are mirrored: eyes seen and not seen in turns",
    NeverSays(0, 33, ASLEEP),
    also=("sensor.*",),
)
def reflections(driver):
    for _ in range(30):
        driver.attentive(0.5).but(0.5, visibility=0.2, openness=0.2)
    driver.attentive(3)


@story("drives with a mask", also=("sensor.*",))
def mask(driver):
    driver.wear_mask().blinking(30)


@story("yawns for 5 s", At(1.5, "fatigue.yawn"))
def yawn(driver):
    driver.yawn(5).attentive(5)


@story("yawns into his hand for 5 s", Within(5.0, "fatigue.yawn"))
def covered_yawn(driver):
    driver.cover_mouth_yawn(5).attentive(5)


@story("talks without end")
def talk(driver):
    driver.talk(30).attentive(3)


@story("sings along")
def sing(driver):
    driver.sing(30).attentive(3)


@story("rubs both eyes, unseen behind the hand")
def rubs_eyes(driver):
    driver.but(2.5, hand_on_face=0.95, visibility=0.1, openness=0.1).attentive(5)


@story("sneezes: eyes shut, head down for 0.7 s")
def sneeze(driver):
    driver.but(0.7, openness=0.05, head_pitch_deg=-15).attentive(5)


@story(
    "blinks slowly, half a second every two and a half, for three minutes",
    Within(150, "fatigue.drowsy", 4.0),
    Within(180, "fatigue.drowsy", 4.0),
    lead=False,
)
def slow_blinks(driver):
    driver.driving(90).attentive(60).here().blinking(180, blink_s=0.5, every_s=2.5)


@story(
    "becomes drowsy, takes a rest, and is awake again for three minutes",
    Within(150, "fatigue.drowsy", 4.0),
    Within(180, "fatigue.drowsy", 4.0),
    Clears(360, "fatigue.drowsy"),
    lead=False,
)
def recovery(driver):
    driver.driving(90).attentive(60).here().blinking(150, blink_s=0.5, every_s=2.5).blinking(260)


@story("yawns and nods, eyes open most of the time: a hint, no proof", also=("fatigue.yawn",))
def nods(driver):
    for _ in range(3):
        driver.yawn(4).attentive(12).nod_off().attentive(10)


@story(
    "opens his eyes ever less over ten minutes: the droop stays seen",
    Has(599, "openness", 0.4, 0.7),
    lead=False,
)
def droop(driver):
    driver.driving(90).attentive(70).here().droop(600, 0.9, 0.54)


@story("lets his head sink in sleep", At(1.5, MICROSLEEP), At(3.0, SLEEP), At(6.0, UNRESPONSIVE))
def sinking_head(driver):
    driver.closed(1.0).but(6.5, openness=0.05, head_pitch_deg=-35, gaze_pitch_deg=-35).attentive(5)


@story("lets his lids fall over a second, and sleeps", Within(2.5, MICROSLEEP, 0.1), Within(4.0, SLEEP, 0.1))
def falling_lids(driver):
    driver.droop(1.0, 0.9, 0.05).closed(3.5).attentive(5)


@story("sleeps, the face lost in the midst of it: what is not seen is not counted", also=("sensor.no_face",))
def lost_in_closure(driver):
    driver.closed(1.2).no_face(2.0).closed(0.2).attentive(5)


@story("closes his eyes for 1.4 s, opens them for 0.3 s, closes them for 0.6 s")
def no_adding_up(driver):
    driver.closed(1.4).attentive(0.3).closed(0.6).attentive(5)


@story(
    "closes his eyes while his head is turned to the window",
    At(1.5, MICROSLEEP),
    At(3.0, SLEEP),
    also=("sensor.*",),
)
def turned_and_closed(driver):
    driver.but(5.0, openness=0.05, head_yaw_deg=40, gaze_yaw_deg=40).attentive(5)


@story("is tired of eye, not of mind: one engine alone sees closed eyes", NeverSays(0, 10, ASLEEP))
def disagreement(driver):
    driver.but(5, openness=0.9, closed=0.98).but(5, openness=0.05, closed=0.05).attentive(3)
