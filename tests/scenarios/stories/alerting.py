"""How alerts worsen, stand, end and are acknowledged; and several profiles at once."""

from tests.scenarios.must import At, Clears, Stands, Told, Within
from tests.scenarios.telling import story

LONG, MICROSLEEP, SLEEP = "distraction.long", "fatigue.microsleep", "fatigue.sleep"
UNRESPONSIVE = "driver.unresponsive"
SENSING = ("sensor.*", "system.*", "driver.absent")
BOTH = ("euroncap_2026", "eu_addw")
ALL = ("euroncap_2026", "eu_addw", "eu_ddaw", "r171_like", "attend", "fleet_guardian")


@story("heeds a warning: it is over after 1 s on the road", At(3.0, LONG), Clears(5.0, LONG))
def heeded(driver):
    driver.look_at("lap", 4.0).attentive(5)


@story("looks back 2.9 s after the warning", At(3.0, LONG), At(5.0, LONG), Clears(6.9, "*"))
def heeded_late(driver):
    driver.look_at("lap", 5.9).attentive(5)


@story("does not heed a warning", At(3.0, LONG), At(5.0, LONG), At(6.0, UNRESPONSIVE))
def unheeded(driver):
    driver.look_at("lap", 6.2).attentive(5)


@story(
    "is warned of many short looks, and then looks away for good",
    At(16.0, "distraction.vats"),
    At(18.0, LONG),
    At(19.0, UNRESPONSIVE),
)
def unheeded_vats(driver):
    for _ in range(6):
        driver.look_at("centre_stack", 1.5).attentive(1.0)
    driver.look_at("centre_stack", 4.2).attentive(5)


@story(
    "hides from the camera after a warning: no answer",
    At(3.0, LONG),
    At(7.0, UNRESPONSIVE),
    Stands(12, UNRESPONSIVE),
    also=SENSING,
)
def hides(driver):
    driver.look_at("lap", 4.0).no_face(8).attentive(6)


@story(
    "covers the camera after a warning: no answer",
    At(3.0, LONG),
    At(7.0, UNRESPONSIVE),
    Stands(12, UNRESPONSIVE),
    also=SENSING,
)
def hides_under_cover(driver):
    driver.look_at("lap", 4.0).covered(8).attentive(6)


@story(
    "is hidden while asleep",
    At(1.5, MICROSLEEP),
    At(3.0, SLEEP),
    At(7.0, "driver.slumped"),
    At(10.0, UNRESPONSIVE),
    Stands(34, SLEEP),
    Stands(34, UNRESPONSIVE),
    also=SENSING,
)
def hidden_asleep(driver):
    driver.closed(4.0).no_face(30).attentive(6)


@story(
    "puts sunglasses on after a sleep: hiding the eyes clears nothing",
    At(1.5, MICROSLEEP),
    Stands(9, MICROSLEEP),
    also=SENSING,
)
def hidden_eyes(driver):
    driver.closed(2.0).sunglasses(8).attentive(6)


@story(
    "is acknowledged for, and sleeps on",
    At(1.5, MICROSLEEP),
    At(3.0, SLEEP),
    At(6.0, UNRESPONSIVE),
)
def acknowledged_asleep(driver):
    driver.closed(2.0).acknowledge().closed(5.0).attentive(5)


@story("acknowledges what is not there, and is warned all the same", At(3.0, LONG))
def early_acknowledgement(driver):
    driver.acknowledge().attentive(2).here().look_at("lap", 4).attentive(5)


@story(
    "acknowledges a hint of drowsiness; the graver warning still comes, once",
    Within(100, "fatigue.drowsy", 4.0),
    Within(160, "fatigue.drowsy", 4.0),
)
def acknowledged_drowsy(driver):
    driver.attentive(60).here().blinking(60, blink_s=0.5, every_s=2.5).acknowledge()
    driver.blinking(120, blink_s=0.5, every_s=2.5).acknowledge().blinking(40, blink_s=0.5, every_s=2.5)


@story(
    "acknowledges a microsleep, and sleeps a minute later",
    At(1.5, MICROSLEEP),
    At(64.5, MICROSLEEP),
    At(66.0, SLEEP),
)
def acknowledged_microsleep(driver):
    driver.closed(2.0).attentive(1).acknowledge().attentive(60).closed(5).attentive(5)


@story(
    "looks at the road for 0.2 s now and then while a warning stands: no new one",
    At(3.0, LONG),
    At(5.0, LONG),
    At(6.0, UNRESPONSIVE, 0.5),
)
def flicker(driver):
    driver.look_at("lap", 4.0).attentive(0.2).look_at("lap", 2.4).attentive(5)


@story(
    "comes and goes before the camera: his looks in are no return",
    At(3.0, "sensor.no_face"),
    Told(1, "sensor.no_face", 30),
    also=("driver.absent",),
)
def flapping(driver):
    for _ in range(5):
        driver.no_face(3.5).attentive(0.3)
    driver.attentive(5)


@story(
    "ADDW and Euro NCAP at once: both tell of the lap", At(3.0, LONG), At(3.5, "distraction.*"), profiles=BOTH
)
def two_profiles(driver):
    driver.look_at("lap", 4.0).attentive(5)


@story("all profiles at once leave an attentive driver in peace", profiles=ALL)
def all_profiles(driver):
    for _ in range(5):
        driver.blinking(8).look_at("driver_mirror", 1.1).attentive(2).glance_down(0.6)


@story("fleet_guardian: looks away for 4.3 s", At(4.0, "distraction.*"), profiles=("fleet_guardian",))
def guardian_distraction(driver):
    driver.look_at("centre_stack", 4.3).attentive(5)


@story("fleet_guardian: closes his eyes for 1.8 s", At(1.5, "fatigue.*"), profiles=("fleet_guardian",))
def guardian_microsleep(driver):
    driver.closed(1.8).attentive(5)


@story("attend: looks at the radio for 2.3 s", At(2.0, "distraction.*"), profiles=("attend",))
def attend_long(driver):
    driver.look_at("centre_stack", 2.3).attentive(5)


@story("attend: looks into the mirror for 2.8 s", profiles=("attend",))
def attend_mirror(driver):
    driver.look_at("driver_mirror", 2.8).attentive(5)


@story(
    "attend: 1.2 s on the radio, 0.6 s on the road, again and again",
    At(4.2, "distraction.*"),
    At(5.9, "distraction.*"),
    profiles=("attend",),
)
def attend_short(driver):
    for _ in range(4):
        driver.look_at("centre_stack", 1.2).attentive(0.6)
    driver.attentive(4)


@story(
    "r171_like: is asked to look, asked again, and told to take over",
    At(5.0, "*"),
    At(8.0, "*"),
    At(13.0, "*"),
    profiles=("r171_like",),
)
def r171(driver):
    driver.look_at("lap", 14).attentive(5)


@story("r171_like: looks back for 0.3 s every 4 s", profiles=("r171_like",))
def r171_heeded(driver):
    for _ in range(4):
        driver.look_at("centre_stack", 4.0).attentive(0.3)
    driver.attentive(3)


@story(
    "does not respond three times: locked out for the run",
    Told(1, "driver.lockout", 70),
    Stands(62, "driver.lockout"),
    also=("*",),
)
def lockout(driver):
    for _ in range(3):
        driver.closed(7).attentive(12)
    driver.attentive(10)


@story("yawns five times in a minute: told twice", Told(2, "fatigue.yawn", 60), also=("fatigue.yawn",))
def many_yawns(driver):
    for _ in range(5):
        driver.yawn(3).attentive(8)
    driver.attentive(5)


@story(
    "looks into his lap for 4 s eight times in two minutes: warned every time",
    *(At(15.0 * n + 3.0, LONG) for n in range(8)),
)
def every_time(driver):
    for _ in range(8):
        driver.look_at("lap", 4.0).attentive(11)


@story("has a warning stand when the car comes to a halt: it does not worsen", At(3.0, LONG))
def halt(driver):
    driver.look_at("lap", 3.5).driving(0).look_at("lap", 10).attentive(5)
