"""What the vehicle does: speed, standstill, reverse, and speeds not known."""

from dms.records import DriverState
from tests.scenarios.must import At, NeverSays, Told, Within
from tests.scenarios.telling import story

LONG = "distraction.long"
ADDW, DDAW = ("eu_addw",), ("eu_ddaw",)
AWAY = "distraction.*"
NO_SPEED = "sensor.speed_unknown"


@story("reads in his lap for 20 s while the car stands")
def standstill(driver):
    driver.driving(0).attentive(5).here().look_at("lap", 20).attentive(5)


@story("looks all around while he parks at 8 km/h")
def parking(driver):
    driver.driving(8).attentive(3)
    for yaw_deg in (60, -60, 70, -50):
        driver.look_away(3.5, yaw_deg).attentive(0.5)


@story("sleeps in the parked car")
def parked_asleep(driver):
    driver.driving(0).attentive(5).here().closed(20).attentive(5)


@story("looks into his lap for 8 s at 17 km/h")
def below_20(driver):
    driver.driving(17).attentive(5).here().look_at("lap", 8).attentive(5)


@story("looks into his lap for 8 s at 19 km/h, never having been faster", lead=False)
def at_19(driver):
    driver.driving(19).attentive(15).here().look_at("lap", 8).attentive(5)


@story("looks into his lap for 4 s at 23 km/h", At(3.0, LONG))
def above_20(driver):
    driver.driving(23).attentive(5).here().look_at("lap", 4).attentive(5)


@story("looks into his lap for 4 s at 21 km/h, coming from 90", At(3.0, LONG))
def at_21(driver):
    driver.driving(21).attentive(5).here().look_at("lap", 4).attentive(5)


@story("nods off at 21 km/h", At(1.5, "fatigue.microsleep"))
def microsleep_at_21(driver):
    driver.driving(21).attentive(5).here().closed(2).attentive(5)


@story("goes on reading when the jam dissolves", Within(3.0, LONG), also=("distraction.vats",))
def jam(driver):
    driver.driving(0).look_at("lap", 8).driving(30).here().look_at("lap", 2.8).attentive(5)


@story("reverses, looking over his shoulder for 8 s")
def reverse(driver):
    driver.reversing().attentive(3).look_away(8, 70).attentive(5)


@story("reverses at a speed nobody knows", also=(NO_SPEED,))
def reverse_unknown(driver):
    driver.reversing(None).attentive(3).look_away(8, 70).attentive(5)


@story("ADDW: looks into his lap for 6.3 s at 47 km/h", At(6.0, AWAY), profiles=ADDW)
def addw_slow(driver):
    driver.driving(47).attentive(5).here().look_at("lap", 6.3).attentive(5)


@story("ADDW: looks into his lap for 5.8 s at 47 km/h", profiles=ADDW)
def addw_slow_short(driver):
    driver.driving(47).attentive(5).here().look_at("lap", 5.8).attentive(5)


@story("ADDW: looks into his lap for 3.7 s at 53 km/h", At(3.5, AWAY), profiles=ADDW)
def addw_fast(driver):
    driver.driving(53).attentive(5).here().look_at("lap", 3.7).attentive(5)


@story("ADDW: looks into his lap for 3.3 s at 53 km/h", profiles=ADDW)
def addw_fast_short(driver):
    driver.driving(53).attentive(5).here().look_at("lap", 3.3).attentive(5)


@story("ADDW: looks into his lap for 20 s at 17 km/h", profiles=ADDW)
def addw_crawl(driver):
    driver.driving(17).attentive(5).here().look_at("lap", 20).attentive(5)


@story("ADDW: looks at the radio for 8 s, which is no lap", profiles=ADDW)
def addw_radio(driver):
    driver.look_at("centre_stack", 8).attentive(5)


@story(
    "ADDW: looks into his lap at a speed nobody knows",
    At(3.5, AWAY),
    profiles=ADDW,
    also=(NO_SPEED,),
)
def addw_unknown(driver):
    driver.driving(None).attentive(5).here().look_at("lap", 4.5).attentive(5)


@story("loses the satellites in a tunnel, and looks into his lap", At(3.0, LONG), also=(NO_SPEED,))
def tunnel(driver):
    driver.driving(None, faults={"gnss": "no fix"}).attentive(20).here().look_at("lap", 4).attentive(5)


@story("loses the satellites in a tunnel, and drives on attentively", also=(NO_SPEED,))
def tunnel_attentive(driver):
    driver.driving(None, faults={"gnss": "no fix"}).blinking(40)


@story("has no source of speed at all: watched as if fast", At(3.0, LONG), lead=False)
def no_speed(driver):
    driver.attentive(10).here().look_at("lap", 4).attentive(5)


@story("is drowsy in town at 40 km/h: the warning waits for 50", lead=False)
def drowsy_in_town(driver):
    driver.driving(40).attentive(60).blinking(150, blink_s=0.5, every_s=2.5)


@story("DDAW: is drowsy at 60 km/h, never having been faster", lead=False, profiles=DDAW)
def ddaw_slow(driver):
    driver.driving(60).attentive(60).blinking(150, blink_s=0.5, every_s=2.5)


@story("DDAW: is drowsy at 75 km/h", Within(200, "fatigue.*", 4.0), lead=False, profiles=DDAW)
def ddaw_fast(driver):
    driver.driving(75).attentive(60).here().blinking(200, blink_s=0.5, every_s=2.5)


@story(
    "DDAW: is drowsy at 66 km/h, having been at 75", Within(200, "fatigue.*", 4.0), lead=False, profiles=DDAW
)
def ddaw_hysteresis(driver):
    driver.driving(75).attentive(60).driving(66).here().blinking(200, blink_s=0.5, every_s=2.5)


@story(
    "DDAW: is drowsy, and does not acknowledge the warning: it comes again every minute",
    Within(100, "fatigue.*", 4.0),
    Told(3, "fatigue.*", 185),
    lead=False,
    profiles=DDAW,
)
def ddaw_cascade(driver):
    driver.driving(75).attentive(60).here().blinking(200, blink_s=0.5, every_s=2.5)


@story("DDAW: is drowsy at 62 km/h, having been at 75", lead=False, profiles=DDAW)
def ddaw_slowed(driver):
    driver.driving(75).attentive(60).driving(62).blinking(200, blink_s=0.5, every_s=2.5)


@story(
    "stands at a light, eyes closed, and is not called attentive", NeverSays(1.5, 4, DriverState.ATTENTIVE)
)
def light_closed(driver):
    driver.driving(0).attentive(5).here().closed(4).attentive(5)
