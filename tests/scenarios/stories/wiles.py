"""Habits, noise and false claims that a rule taken by its letter would miss, or would take for danger."""

from dms.config.inputs import InputsConfig
from dms.inputs.plausible import Believed
from dms.inputs.reading import Quantity, Reading
from dms.records import Context, DriverState
from tests.scenarios.must import At, Clears, NeverSays, Stands, Told, Warns, Within
from tests.scenarios.telling import story

ATTENTIVE, DISTRACTED = DriverState.ATTENTIVE, DriverState.DISTRACTED
LONG, MICROSLEEP, SLEEP = "distraction.long", "fatigue.microsleep", "fatigue.sleep"
UNRESPONSIVE, LOCKOUT = "driver.unresponsive", "driver.lockout"


@story(
    "looks at the radio for 90 s after 8 s on the road: it never becomes the road",
    At(3.0, LONG),
    At(5.0, LONG),
    At(6.0, UNRESPONSIVE),
    Stands(90, UNRESPONSIVE),
    NeverSays(3, 90, ATTENTIVE),
    Clears(92, UNRESPONSIVE),
    lead=False,
    also=(LOCKOUT,),
)
def radio_for_good(driver):
    driver.driving(90).attentive(8).here().look_at("centre_stack", 90).attentive(6)


@story(
    "reads the cluster for 1 s with 0.36 s on the road between, for a minute: it adds up",
    Warns(31, "distraction.vats"),
    also=("*",),
)
def cluster_again_and_again(driver):
    for _ in range(45):
        driver.look_at("cluster", 1.0, head=False).attentive(0.36)


@story("blinks in the midst of a look of 3.25 s at the radio", Within(3.25, LONG))
def blink_in_a_look(driver):
    driver.look_at("centre_stack", 1.5).but(0.25, openness=0.05, head_yaw_deg=-20, head_pitch_deg=-12)
    driver.look_at("centre_stack", 1.5).attentive(5)


@story(
    "r171_like: sleeps for a minute: closed eyes are not on the road",
    Warns(5.5, "*"),
    Warns(13.5, "driver.*"),
    NeverSays(2, 60, ATTENTIVE),
    also=("*",),
    profiles=("r171_like",),
)
def r171_asleep(driver):
    driver.closed(60).attentive(5)


@story(
    "sleeps while the clock goes back by 34 ms every 1.3 s",
    At(1.5, MICROSLEEP, 0.3),
    At(3.0, SLEEP, 0.3),
    At(6.0, UNRESPONSIVE, 0.3),
    also=(LOCKOUT, "system.*"),
)
def clock_jitter_asleep(driver):
    for _ in range(15):
        driver.closed(1.3).jump_clock(-0.034)
    driver.attentive(5)


@story(
    "looks into his lap at 45 km/h while messages tell of reverse, which is not believed",
    At(3.0, LONG),
    At(5.0, LONG),
    At(6.0, UNRESPONSIVE),
    also=("system.*",),
    lead=False,
)
def reverse_at_45(driver):
    believed = Believed(InputsConfig(speed_from=["can"]), now_s=0.0)
    believed.take(Reading("can", Quantity.SPEED, 45.0, 0.0))
    believed.take(Reading("can", Quantity.GEAR, -1.0, 0.0))
    driver.set_context(Context(believed.vehicle(0.1, {}), configured=True))
    driver.attentive(10).here().look_at("lap", 8).attentive(5)


@story(
    "sleeps, and a single message tells a speed of 0: a car at 90 does not stand for a moment",
    At(1.5, MICROSLEEP),
    At(3.0, SLEEP),
    At(6.0, UNRESPONSIVE),
    Stands(8, UNRESPONSIVE),
)
def one_standstill_asleep(driver):
    driver.closed(4).driving(0).closed(1 / driver.fps).driving(90).closed(4).attentive(5)


@story(
    "sleeps at 21 km/h, the speed dipping to 17.5 for a moment every 2.8 s",
    At(1.5, MICROSLEEP, 0.2),
    At(3.0, SLEEP, 0.2),
    At(6.0, UNRESPONSIVE, 0.2),
    Stands(28, UNRESPONSIVE),
    also=(LOCKOUT,),
)
def speed_flickers_asleep(driver):
    for _ in range(10):
        driver.driving(21).closed(2.7).driving(17.5).closed(0.1)
    driver.driving(21).attentive(5)


@story(
    "does not respond, under two profiles that share their rules: the stricter one locks him out",
    Told(1, LOCKOUT, 12),
    also=("*",),
    profiles=("euroncap_2026", "strict_fleet"),
)
def second_lockout(driver):
    driver.closed(8).attentive(6)


@story(
    "reads in his lap for a minute, parked for all that is known: nobody is locked out of a parked car",
    Told(0, LOCKOUT, 65),
    Warns(3, LONG),
    also=("*",),
    lead=False,
)
def parked_unknown(driver):
    driver.driving(None).attentive(20).here().look_at("lap", 60).attentive(5)


@story("blinks for 0.3 s every 2.5 s, awake, for five minutes", lead=False)
def steady_blinker(driver):
    driver.driving(90).blinking(300, blink_s=0.3, every_s=2.5)


@story(
    "reverses for a minute at a speed nobody knows: what he saw behind him is not the road",
    NeverSays(0, 20, DISTRACTED),
    At(23.0, LONG),
    lead=False,
    also=("sensor.*",),
)
def learning_in_reverse(driver):
    driver.reversing(None).look_away(60, 40).driving(60).here().attentive(20).look_away(4, 40).attentive(5)
