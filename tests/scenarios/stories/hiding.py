"""Drivers who are lost to the camera while it matters, or seen in snatches: none of it is an all-clear."""

from dms.records import DriverState
from tests.scenarios.must import At, Clears, NeverSays, Says, Stands, Warns, Within
from tests.scenarios.telling import story

ATTENTIVE, DISTRACTED = DriverState.ATTENTIVE, DriverState.DISTRACTED
LONG, MICROSLEEP, SLEEP = "distraction.long", "fatigue.microsleep", "fatigue.sleep"
SLUMPED, UNRESPONSIVE = "driver.slumped", "driver.unresponsive"
SENSING = ("sensor.*", "system.*", "driver.absent")


@story(
    "hides his eyes after an emergency that his gaze alone had raised",
    At(3.0, LONG),
    At(5.0, LONG),
    At(6.0, UNRESPONSIVE),
    Stands(20, UNRESPONSIVE),
    NeverSays(3, 20, ATTENTIVE),
    also=SENSING,
)
def hides_gaze(driver):
    driver.look_at("lap", 8, head=False).sunglasses(12).attentive(6)


@story(
    "slumps out of the picture asleep, and the camera is covered for a while",
    At(1.5, MICROSLEEP),
    At(5.0, SLUMPED),
    At(8.0, UNRESPONSIVE),
    At(12.0, UNRESPONSIVE),
    Stands(23, UNRESPONSIVE),
    NeverSays(1.5, 23, ATTENTIVE),
    also=SENSING,
)
def slumped_covered(driver):
    driver.closed(2).no_face(7).covered(4).no_face(10).attentive(6)


@story(
    "slumps out of the picture asleep, and the camera is lost for a while",
    Within(1.5, MICROSLEEP),
    At(5.0, SLUMPED),
    At(8.0, UNRESPONSIVE),
    Stands(23, UNRESPONSIVE),
    NeverSays(1.5, 23, ATTENTIVE),
    also=SENSING,
)
def slumped_camera_lost(driver):
    driver.closed(2).no_face(7).camera_lost(4).no_face(10).attentive(6)


@story(
    "slumps out of the picture asleep, and comes back with eyes that cannot be read",
    At(1.5, MICROSLEEP),
    At(5.0, SLUMPED),
    At(8.0, UNRESPONSIVE),
    Stands(21, UNRESPONSIVE),
    NeverSays(1.5, 21, ATTENTIVE),
    Clears(26, UNRESPONSIVE),
    also=SENSING,
)
def slumped_unreadable(driver):
    driver.closed(2).no_face(7).sunglasses(12).attentive(8)


@story(
    "sleeps behind sunglasses, his head upright: never called attentive",
    Within(10, "sensor.eyes_unreadable"),
    NeverSays(0.6, 40, ATTENTIVE),
)
def sleeper_behind_sunglasses(driver):
    driver.sunglasses(40)


@story(
    "turns his head behind sunglasses: what the head does is still said",
    Within(10, "sensor.eyes_unreadable"),
    At(23, LONG),
    Says(23.2, 24, DISTRACTED),
    NeverSays(0.6, 40, ATTENTIVE),
)
def head_behind_sunglasses(driver):
    driver.sunglasses(20).sunglasses(4, yaw_deg=40).sunglasses(16)


@story(
    "is gone for 2.8 s again and again, and looks in for half a second between",
    Warns(10, "[sd]*.*"),
    also=("*",),
)
def interrupted_absence(driver):
    for _ in range(15):
        driver.no_face(2.8).attentive(0.45)


@story(
    "has his eyes hidden for 4 s again and again, and shut whenever they are seen",
    Warns(10, "*"),
    NeverSays(0.6, 66, ATTENTIVE),
    also=("*",),
)
def interrupted_sleep(driver):
    for _ in range(15):
        driver.but(4.0, visibility=0.1, openness=0.05, closed=None).closed(0.4)


@story(
    "looks back at the road for 0.1 s, and then the picture stands still",
    At(3.0, LONG),
    At(5.0, LONG),
    At(6.0, UNRESPONSIVE),
    Stands(13, UNRESPONSIVE),
    NeverSays(3, 13, ATTENTIVE),
    also=SENSING,
)
def frozen_after_look_back(driver):
    driver.look_at("centre_stack", 8).attentive(0.1).frozen(5).attentive(5)
