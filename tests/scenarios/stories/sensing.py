"""What cannot be judged: faces, eyes, pictures, engines and clocks that fail."""

import math

from dms.records import DriverState, UnknownCause
from tests.scenarios.must import SENSING, At, Has, NeverSays, Says, Within
from tests.scenarios.telling import story

ATTENTIVE, FAULT = DriverState.ATTENTIVE, DriverState.FAULT
MICROSLEEP = "fatigue.microsleep"


@story(
    "has his camera covered",
    Within(10, "sensor.blocked"),
    Says(3, 20, UnknownCause.BLOCKED),
    NeverSays(1, 20, ATTENTIVE),
)
def covered(driver):
    driver.covered(20).attentive(3)


@story("covers the camera with his eyes closed", Within(11, "sensor.blocked"))
def covered_asleep(driver):
    driver.closed(1.0).covered(20).attentive(3)


@story("covers the camera in the midst of a look aside", Within(11, "sensor.blocked"))
def covered_distracted(driver):
    driver.look_away(1.0).covered(20).attentive(3)


@story(
    "drives in the dark without the camera's own light",
    Within(10, SENSING),
    Says(3, 15, UnknownCause.DARK),
    NeverSays(1, 15, ATTENTIVE),
)
def dark(driver):
    driver.dark(15).attentive(3)


@story("enters a tunnel: black for 1.5 s until the exposure has followed")
def tunnel_entry(driver):
    driver.dark(1.5).attentive(5)


@story("leaves a tunnel: white for 1.5 s")
def tunnel_exit(driver):
    driver.glare(1.5).attentive(5)


@story("drives under street lamps at night, light and dark in turns", Says(0, 30, ATTENTIVE))
def street_lamps(driver):
    for _ in range(15):
        driver.but(1.0, brightness=25.0, contrast=20.0).but(1.0, brightness=90.0)


@story(
    "has the sun in the lens",
    Within(10, SENSING),
    Says(4, 15, UnknownCause.GLARE),
    NeverSays(1, 15, ATTENTIVE),
)
def glare(driver):
    driver.glare(15).attentive(3)


@story("drives through an avenue: sun and shade in turns of half a second", also=("sensor.glare",))
def avenue(driver):
    for _ in range(20):
        driver.attentive(0.5).glare(0.5, face=True)
    driver.attentive(3)


@story(
    "is watched by a frozen camera, open-eyed in its last picture",
    Within(10, SENSING),
    Says(4, 15, UnknownCause.FROZEN),
    NeverSays(4, 15, ATTENTIVE),
)
def frozen(driver):
    driver.frozen(15).attentive(3)


@story("is frozen with closed eyes: the last picture is no sleep", Within(10, SENSING), also=(MICROSLEEP,))
def frozen_closed(driver):
    driver.closed(0.4).but(15, openness=0.05, change=0.0).attentive(3)


@story("sits very still", Says(0, 20, ATTENTIVE))
def still(driver):
    driver.but(20, change=0.4)


@story(
    "has a dirty lens",
    Within(10, "sensor.defocused"),
    Says(9, 15, UnknownCause.DEFOCUSED),
    NeverSays(9, 15, ATTENTIVE),
    also=("sensor.eyes_unreadable",),
)
def defocused(driver):
    driver.defocused(15).attentive(3)


@story(
    "has his camera turned by the passenger",
    Within(10, SENSING),
    Says(9, 20, UnknownCause.CAMERA_MOVED),
    also=("distraction.long",),
    lead=False,
)
def camera_moved(driver):
    driver.driving(90).attentive(70).here().camera_moved(20)


@story("loses his camera", Within(10, SENSING), Says(4, 15, FAULT), NeverSays(1, 15, ATTENTIVE))
def camera_lost(driver):
    driver.camera_lost(15).attentive(3)


@story(
    "is watched by a failing eyes engine",
    Within(10, SENSING),
    Says(9, 15, FAULT),
    NeverSays(1, 15, ATTENTIVE),
)
def engine_failed(driver):
    driver.failing(15, "eyes").attentive(3)


@story("is watched by a failing face engine: no empty seat", Within(10, SENSING), NeverSays(1, 15, ATTENTIVE))
def face_engine_failed(driver):
    driver.failing(15, "face").attentive(3)


@story("is watched without the hands' engine: the rest goes on", At(3.0, "distraction.long"), also=(SENSING,))
def hands_engine_failed(driver):
    driver.failing(15, "distraction").usually(faults=("distraction",)).here().look_at("lap", 4).attentive(5)


@story(
    "is judged on old results",
    Within(10, SENSING),
    Says(1, 10, UnknownCause.STALE),
    NeverSays(1, 10, ATTENTIVE),
)
def stale(driver):
    driver.stale(10).attentive(3)


@story(
    "is judged twice a second: too seldom for closures",
    Within(15, SENSING, 0.5),
    Says(12, 20, UnknownCause.OVERLOAD),
)
def overload(driver):
    for _ in range(40):
        driver.attentive(1 / 60).silence(0.5 - 1 / 60)


@story(
    "wears sunglasses: said, and the head still counts",
    Within(10, "sensor.eyes_unreadable"),
    At(23, "distraction.long"),
)
def sunglasses(driver):
    driver.sunglasses(20).sunglasses(4, yaw_deg=40).sunglasses(5)


@story(
    "wears sunglasses from the start",
    Within(10, "sensor.eyes_unreadable"),
    Has(20, "closure_s", None, None),
    lead=False,
)
def sunglasses_at_once(driver):
    driver.driving(90).wear_sunglasses().attentive(25)


@story(
    "has lids the engine is unsure of",
    Within(10, "sensor.eyes_unreadable"),
    NeverSays(0, 15, DriverState.ASLEEP),
)
def unsure_lids(driver):
    driver.but(15, openness=0.05, closed=0.5, openness_sigma=0.5).attentive(5)


@story("is left out by the camera for 1.5 s in the midst of a closure")
def gap_in_closure(driver):
    driver.closed(0.8).silence(1.5).closed(0.5).attentive(5)


@story("is not seen for 20 s, and then seen blinking")
def gap_then_blink(driver):
    driver.silence(20).closed(0.15).attentive(5)


@story("is not seen for three hours, and falls asleep an hour's worth of nothing later", At(1.5, MICROSLEEP))
def hours_of_silence(driver):
    driver.silence(10_800).attentive(20).here().closed(2).attentive(5)


@story("closes his eyes while the clock is set back by a minute")
def clock_back(driver):
    driver.closed(1.2).jump_clock(-60)
    driver.closed(0.6).attentive(5)


@story("closes his eyes while the clock jumps an hour ahead")
def clock_ahead(driver):
    driver.closed(1.2).jump_clock(3600)
    driver.closed(0.6).attentive(5)


@story("is described by figures that are none", NeverSays(1, 8, ATTENTIVE), also=("sensor.*", "system.*"))
def nonsense(driver):
    nan = math.nan
    driver.but(
        8, openness=nan, closed=nan, head_yaw_deg=nan, gaze_yaw_deg=nan, phone=nan, yawn=nan
    ).attentive(3)


@story(
    "leaves the picture at speed",
    At(3.0, "sensor.no_face"),
    At(6.0, "driver.absent"),
    NeverSays(0.5, 10, ATTENTIVE),
)
def absent(driver):
    driver.no_face(10).attentive(3)


@story("bends down to his shoe for 2.5 s, out of the picture")
def bends_down(driver):
    driver.no_face(2.5).attentive(5)


@story("carries a child in the back", Says(0, 15, ATTENTIVE))
def child(driver):
    driver.two_faces(15, rival=0.15)


@story("has his passenger lean in for a moment")
def leaning_in(driver):
    driver.two_faces(1.5, rival=0.6).attentive(5)


@story(
    "shares the picture with a face as large as his own",
    Within(10, SENSING),
    Says(5, 15, UnknownCause.TWO_DRIVERS),
)
def two_drivers(driver):
    driver.two_faces(15, rival=0.97).attentive(3)


@story(
    "hands over to a driver with narrower eyes at a stop",
    NeverSays(40, 80, DriverState.ASLEEP),
    NeverSays(40, 80, DriverState.DROWSY),
    also=("sensor.no_face", "driver.absent"),
)
def seat_change(driver):
    driver.driving(0).no_face(35).usually(openness=0.4, closed=0.1).attentive(5).driving(60).blinking(40)


@story(
    "has just sat down: calibrating is said, and it is not called attentive",
    Says(0.5, 2, UnknownCause.CALIBRATING),
    NeverSays(0, 2, ATTENTIVE),
    lead=False,
)
def sat_down(driver):
    driver.driving(90).attentive(10)


@story("stands with an empty seat", also=("sensor.no_face",))
def parked(driver):
    driver.driving(0).no_face(20).attentive(3)


@story(
    "leaves a poster's face behind him",
    At(3.0, "sensor.no_face"),
    At(6.0, "driver.absent"),
    NeverSays(0.5, 8, ATTENTIVE),
)
def poster(driver):
    driver.poster(8).attentive(3)


@story("drives at night, dark-skinned, seen dimly and noisily, and nods off", At(1.5, MICROSLEEP), lead=False)
def night(driver):
    driver.driving(90).usually(brightness=22.0, contrast=12.0, openness_sigma=0.2, gaze_sigma_deg=12.0)
    driver.shake(4.0).attentive(60).here().closed(2.0).attentive(5)


@story("wears a hat and a long fringe over one eye", Says(0, 20, ATTENTIVE))
def fringe(driver):
    driver.one_eye().blinking(20)
