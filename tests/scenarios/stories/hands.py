"""Phones, food, cigarettes, and hands in the face."""

from tests.scenarios.must import At
from tests.scenarios.telling import story

PHONE = "distraction.phone"


@story("holds a phone for 4 s, eyes on the road", At(2.0, PHONE))
def phone(driver):
    driver.phone(4).attentive(4)


@story("moves a phone aside in 1.2 s")
def phone_aside(driver):
    driver.phone(1.2).attentive(5)


@story("seems to hold a phone in single pictures")
def phone_flicker(driver):
    for _ in range(10):
        driver.phone(0.2).attentive(1.3)


@story("reads the phone in his lap", At(2.0, PHONE), At(3.0, "distraction.long"))
def phone_in_lap(driver):
    driver.usually(phone=0.95).look_at("lap", 4.0).usually(phone=0.0).attentive(5)


@story("stands at a light with the phone at his ear")
def phone_standing(driver):
    driver.driving(0).attentive(5).here().phone(8).attentive(4)


@story("eats an apple for 20 s")
def eats(driver):
    driver.eat(20).attentive(3)


@story("drinks from a bottle, head tilted back, 2.5 s at a time")
def drinks(driver):
    driver.drink(2.5).attentive(4).drink(2.5).attentive(5)


@story("smokes for 30 s")
def smokes(driver):
    driver.smoke(30).attentive(3)


@story("leans his cheek on his hand for 20 s")
def hand_on_face(driver):
    driver.hand_on_face(20).attentive(3)


@story("scratches his head while he looks into the mirror")
def scratches(driver):
    driver.usually(hand_on_face=0.9).look_at("driver_mirror", 1.5).usually(hand_on_face=0.0).attentive(5)


@story(
    "is on the phone while the face is lost: what is not seen is not counted",
    also=("sensor.*", "driver.absent"),
)
def phone_unseen(driver):
    driver.phone(1).no_face(10).phone(1).attentive(5)
