"""Where drivers look, and what of it is distraction."""

from dms.records import DriverState
from dms.testing import Scene
from tests.scenarios.must import At, Has, NeverSays, Says
from tests.scenarios.telling import story

ATTENTIVE, DISTRACTED = DriverState.ATTENTIVE, DriverState.DISTRACTED
LONG = "distraction.long"


@story("watches the road for a minute, blinking", Says(0, 60, ATTENTIVE))
def road(driver):
    driver.blinking(60)


@story("checks his mirror for 1.5 s every 5 s, two minutes long")
def mirror_checks(driver):
    for _ in range(24):
        driver.look_at("driver_mirror", 1.5).attentive(3.5)


@story("goes round his three mirrors in glances of usual length, with the eyes alone")
def mirror_round(driver):
    for _ in range(4):
        for mirror, glance_s in (("driver_mirror", 1.1), ("inner_mirror", 0.8), ("passenger_mirror", 0.75)):
            driver.attentive(4).look_at(mirror, glance_s, head=False)
    driver.attentive(4)


@story("watches an overtaking car in his mirror for 3.8 s")
def overtaking(driver):
    driver.look_at("driver_mirror", 3.8).attentive(5)


@story("stares into his mirror for 4.8 s", At(4.0, LONG))
def mirror_stare(driver):
    driver.look_at("driver_mirror", 4.8).attentive(5)


@story("reads the speed every ten seconds with the eyes alone, lids following", Says(0, 43, ATTENTIVE))
def cluster(driver):
    for _ in range(4):
        driver.attentive(9.4).glance_down(0.6)
    driver.attentive(3)


@story("studies a warning lamp in the cluster for 3.8 s")
def warning_lamp(driver):
    driver.glance_down(3.8).attentive(5)


@story("is lost in the cluster's menu for 4.8 s", At(4.0, LONG))
def cluster_menu(driver):
    driver.glance_down(4.8).attentive(5)


@story("reads a message in his lap for 4 s", At(3.0, LONG))
def lap(driver):
    driver.look_at("lap", 4.0).attentive(5)


@story("looks into his lap with lids so low that they seem shut", At(3.0, LONG))
def lap_lids(driver):
    driver.but(4.0, openness=0.1, head_pitch_deg=-35, gaze_pitch_deg=-45).attentive(5)


@story("looks into his lap five times; none of it is a closure", Has(20, "perclos_60s", 0.0, 0.02))
def lap_often(driver):
    driver.attentive(20).here()
    for _ in range(5):
        driver.look_at("lap", 1.2).attentive(2.8)
    driver.attentive(2)


@story("sets the radio in three looks of 2.5 s with 3 s on the road between")
def radio(driver):
    for _ in range(3):
        driver.look_at("centre_stack", 2.5).attentive(3)


@story(
    "types an address: 1.5 s on the screen, 1 s on the road, again and again", At(16.0, "distraction.vats")
)
def address(driver):
    for _ in range(7):
        driver.look_at("centre_stack", 1.5).attentive(1.0)
    driver.attentive(4)


@story("types an address, but looks up for 2 s in the midst of it")
def address_with_care(driver):
    for number in range(8):
        driver.look_at("centre_stack", 1.5).attentive(2.1 if number == 3 else 1.0)
    driver.attentive(4)


@story("looks for something in the glovebox with the eyes alone", At(3.0, LONG))
def glovebox(driver):
    driver.look_at("glovebox", 3.8, head=False).attentive(5)


@story("leans over to the passenger's footwell", At(3.0, LONG))
def footwell(driver):
    driver.look_at("passenger_footwell", 3.8).attentive(5)


@story("talks to his passenger face to face for 3.8 s", At(3.0, LONG))
def passenger(driver):
    driver.look_at("passenger_face", 3.8).attentive(5)


@story("watches something out of his window for 3.8 s", At(3.0, LONG))
def window(driver):
    driver.look_at("driver_window", 3.8).attentive(5)


@story("looks over his shoulder before three lane changes")
def shoulder_checks(driver):
    for side in ("left", "right", "left"):
        driver.indicating(90, side).attentive(2).look_at("driver_mirror", 1.0).shoulder_check(1.2, side)
        driver.driving(90).attentive(4)


@story("looks left, right and left again at a junction, 2.4 s at most, 30 km/h")
def junction(driver):
    driver.driving(30).attentive(3).look_away(2.4, 60).attentive(0.8).look_away(1.5, -60).attentive(0.8)
    driver.look_away(1.8, 60).attentive(5)


@story("looks up at a traffic light while he stands")
def traffic_light(driver):
    driver.driving(0).look_away(6.0, 0, 22).driving(30).attentive(5)


@story("follows his route on a phone in its holder, 1 s every 6 s")
def navigation(driver):
    for _ in range(6):
        driver.but(5.0, phone=0.3).look_at("dash_phone", 1.0)
    driver.attentive(3)


@story("reads a long message on the phone in its holder, eyes alone", At(3.0, LONG))
def holder_message(driver):
    driver.look_at("dash_phone", 4.0, head=False).attentive(5)


@story("drives on the right-hand seat, watching his mirror for 3.8 s", lead=False)
def right_hand_drive(driver):
    driver.right_hand_drive().driving(90).attentive(10).here().look_at("driver_mirror", 3.8).attentive(5)


@story("drives on the right-hand seat, staring into his mirror for 4.8 s", At(4.0, LONG), lead=False)
def right_hand_stare(driver):
    driver.right_hand_drive().driving(90).attentive(10).here().look_at("driver_mirror", 4.8).attentive(5)


@story("sits high: the camera looks up at him", Says(0, 20, ATTENTIVE), lead=False)
def high_seat(driver):
    driver.driving(90).usually(head_pitch_deg=-16, gaze_pitch_deg=-14).attentive(70).here().attentive(20)


@story("is seen by a camera far to his side, and looks into his lap", At(3.0, LONG), lead=False)
def camera_aside(driver):
    driver.driving(90).usually(head_yaw_deg=33, head_pitch_deg=-8, gaze_yaw_deg=30, gaze_pitch_deg=-10)
    driver.attentive(70).here().look_at("lap", 4.0).attentive(5)


@story("drives a shaking truck, gaze noisy by 9 degrees", NeverSays(0, 30, DISTRACTED))
def shaking(driver):
    driver.shake(9.0).attentive(30)


@story("looks at the road past a hair's breadth: 18 degrees to the side for 20 s, as in a long bend")
def bend(driver):
    driver.but(20, head_yaw_deg=12, gaze_yaw_deg=18).attentive(3)


@story("never looks at the road for more than a moment: 0.2 s between looks of 2 s", At(3.0, LONG))
def flicker_back(driver):
    driver.look_at("centre_stack", 2.0).attentive(0.2).look_at("centre_stack", 1.8).attentive(5)


@story(
    "keeps his nose on the road while his eyes read, head known and gaze unsure", NeverSays(0, 10, DISTRACTED)
)
def unsure_gaze(driver):
    driver.but(10, gaze_yaw_deg=35, gaze_sigma_deg=25).attentive(3)


@story("turns his head while the gaze is unsure", At(3.0, LONG))
def unsure_gaze_turned(driver):
    driver.but(4.0, head_yaw_deg=40, gaze_yaw_deg=0, gaze_sigma_deg=25).attentive(5)


@story("cannot be seen well: pose and gaze so unsure that they prove nothing", NeverSays(0, 8, DISTRACTED))
def unsure_all(driver):
    unsure = Scene(head_yaw_deg=30, gaze_yaw_deg=30, head_sigma_deg=25, gaze_sigma_deg=25)
    driver.then(8.0, unsure).attentive(3)
