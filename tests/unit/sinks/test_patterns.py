import math
import re
from itertools import pairwise, product
from pathlib import Path

import pytest

from dms.records import Severity
from dms.sinks.patterns import EMERGENCY, PATTERNS, SENSING, Beep, Pattern, pattern_of

AREAS = ("distraction", "driver", "fatigue")


def test_every_class_and_severity_has_a_pattern_of_its_own():
    mild = list(Severity)[:-1]
    patterns = [pattern_of(f"{area}.x", severity) for area, severity in product(AREAS, mild)]
    assert len(set(patterns)) == len(patterns)
    assert {*patterns, SENSING, EMERGENCY} == set(PATTERNS)
    assert len({pattern.beeps for pattern in PATTERNS}) == len(PATTERNS)


@pytest.mark.parametrize("severity", list(Severity)[:-1])
def test_fatigue_is_more_urgent_than_distraction(severity):
    tired, distracted = (pattern_of(f"{area}.x", severity) for area in ("fatigue", "distraction"))
    assert PATTERNS.index(tired) > PATTERNS.index(distracted)
    assert tired.gain > distracted.gain


def test_graver_is_louder_and_leaves_less_silence():
    for area in AREAS:
        ladder = [pattern_of(f"{area}.x", severity) for severity in Severity]
        assert all(mild.gain < grave.gain for mild, grave in pairwise(ladder))
        silence = [sum(b.off_s for b in p.beeps) / p.length_s for p in ladder]
        assert silence == sorted(silence, reverse=True)


def test_all_lies_in_the_band_with_its_overtone():
    assert all(beep.hz >= 200 and 2 * beep.hz <= 8000 for pattern in PATTERNS for beep in pattern.beeps)


def test_emergency_never_pauses_whatever_its_area():
    assert {pattern_of(f"{area}.x", Severity.EMERGENCY) for area in (*AREAS, "sensor", "new")} == {EMERGENCY}
    assert all(beep.off_s == 0 for beep in EMERGENCY.beeps)


@pytest.mark.parametrize("area", ["sensor", "system"])
def test_what_is_about_the_system_is_told_once_and_quietly(area):
    pattern = pattern_of(f"{area}.blocked", Severity.WARNING)
    assert not pattern.repeats
    assert pattern.gain == min(one.gain for one in PATTERNS)


def test_rhythm():
    twice = Pattern("x", (Beep(500, 0.2, 0.1), Beep(600, 0.3, 0.4)), 1.0)
    found = [twice.at(at_s) for at_s in (0.0, 0.25, 0.35, 0.7, 1.05)]
    assert [on for on, _ in found] == [True, False, True, False, True]
    assert [left_s for _, left_s in found] == pytest.approx([0.2, 0.05, 0.25, 0.3, 0.15])


def test_what_does_not_repeat_is_over():
    assert SENSING.at(SENSING.length_s + 1e-6) == (False, math.inf)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_the_table_for_people_says_the_same(pattern):
    text = Path("docs/local-alerts.md").read_text(encoding="utf-8")
    _, _, tones, gain, repeats, _ = re.search(rf"^\| {pattern.name} \|.*$", text, re.M)[0].split("|")
    told = [tuple(map(float, found)) for found in re.findall(r"([\d.]+) Hz (\d+)", tones)]
    assert told == [(beep.hz, pytest.approx(beep.on_s * 1e3)) for beep in pattern.beeps]
    assert (float(gain), repeats.strip() == "yes") == (pattern.gain, pattern.repeats)
