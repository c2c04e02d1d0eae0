"""What no run of signals, however odd, may ever break."""

import itertools
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.alerts import AlertManager, load_profile
from dms.alerts.profiles import shipped_profiles
from dms.assess import SIGNALS
from dms.records import Acknowledgement, Assessment, Context, DriverState, Phase, Severity, Signal

PROFILES = [load_profile(name) for name in shipped_profiles()]
RANKS = list(Severity)
USED = sorted({name for profile in PROFILES for rule in profile.rules for name in rule.when})
CONDITIONS = ("speed_kmh", "reversing")
VALUES = st.sampled_from([None, 0.0, 0.05, 0.2, 1.0, 2.9, 3.1, 5.5, 7.0, 12.0, 31.0, 61.0, float("nan")])
CONDITION = {
    "speed_kmh": st.sampled_from([None, 0.0, 10.0, 19.0, 49.0, 51.0, 69.0, 120.0]),
    "reversing": st.sampled_from([None, 0.0, 1.0]),
}


@st.composite
def runs(draw):
    """Assessments whose signals jump as they please, with acknowledgements, gaps and a clock set back."""
    now_s, seen, signals = 0.0, [], {name: Signal(0.0) for name in SIGNALS}
    for _ in range(draw(st.integers(1, 20))):
        now_s += draw(st.sampled_from([0.03, 0.2, 1.0, 5.0, 70.0, -10.0]))
        for name in draw(st.lists(st.sampled_from(USED), max_size=5)):
            value = draw(VALUES)
            signals[name] = Signal(value, None if not value else now_s - 1.0)
        for name in CONDITIONS:
            signals[name] = Signal(draw(CONDITION[name]))
        given_ids = draw(st.lists(st.sampled_from([None, "run-1", "run-2", "nobody"]), max_size=1))
        given_now = tuple(Acknowledgement("key", one) for one in given_ids)
        source = draw(st.sampled_from(["gaze", "head", None]))
        state = DriverState.UNKNOWN
        context = Context(acknowledgements=given_now)
        seen.append(Assessment(now_s, state, (), dict(signals), 0.5, source, context=context))
    return seen


def played(profiles, seen):
    manager = AlertManager(profiles, "run")
    changes = [(assessment, change) for assessment in seen for change in manager.update(assessment)]
    return changes, [*manager.close(seen[-1].captured_s)]


@given(runs())
def test_an_id_starts_once_only_worsens_while_driving_and_ends_once(seen):
    changes, ends = played(PROFILES, seen)
    lives, stood = {}, set()
    for assessment, alert in [*changes, *((None, end) for end in ends)]:
        lives.setdefault(alert.id, []).append(alert)
        if assessment and assessment.signals["speed_kmh"].value == 0.0:
            stood.add((alert.id, len(lives[alert.id]) - 1))
    for name, life in lives.items():
        assert [a.phase for a in life] == [Phase.START, *[Phase.UPDATE] * (len(life) - 2), Phase.END]
        for number, (before, after) in enumerate(itertools.pairwise(life), 1):
            worse = RANKS.index(after.severity) >= RANKS.index(before.severity)
            assert worse or (name, number) in stood  # at a standstill it falls back
        assert len({(a.profile, a.profile_version, a.profile_hash, a.onset_s) for a in life}) == 1
    assert set(lives) == {f"run-{number + 1}" for number in range(len(lives))}


@given(runs())
def test_nothing_starts_from_what_is_unknown(seen):
    for assessment, change in played(PROFILES, seen)[0]:
        if change.phase is Phase.START and change.type != "driver.lockout":
            named = [name for name in change.evidence if name in SIGNALS and name != "speed_kmh"]
            assert named
            for name in named:
                value = assessment.signals[name].value
                assert value is not None
                assert value == value


@given(runs())
def test_a_known_standstill_raises_nothing_but_sensing(seen):
    for assessment, change in played(PROFILES, seen)[0]:
        if change.phase is Phase.START and assessment.signals["speed_kmh"].value == 0.0:
            assert change.type.startswith(("sensor.", "system."))


@given(runs())
def test_none_acknowledged_comes_again_too_soon(seen):
    [profile] = [p for p in PROFILES if p.name == "euroncap_2026"]
    quiet = set()
    for _, change in played([profile], seen)[0]:
        if change.acknowledged_s is not None and change.type == "fatigue.drowsy":
            quiet.add(change.severity)
        elif change.phase is Phase.START and change.type == "fatigue.drowsy":
            assert not any(RANKS.index(change.severity) <= RANKS.index(one) for one in quiet)


@given(runs(), st.permutations(PROFILES))
def test_the_order_of_profiles_does_not_matter(seen, order):
    assert [c for _, c in played(PROFILES, seen)[0]] == [c for _, c in played(order, seen)[0]]


@given(runs(), st.integers(0, 19))
def test_a_copy_of_its_state_goes_on_alike(seen, at):
    manager = AlertManager(PROFILES, "run")
    for assessment in seen[:at]:
        manager.update(assessment)
    twin = pickle.loads(pickle.dumps(manager))
    for assessment in seen[at:]:
        assert twin.update(assessment) == manager.update(assessment)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_profile_is_silent_on_a_driver_who_is_well(profile):
    signals = {name: Signal(0.0) for name in SIGNALS}
    signals |= {"openness": Signal(1.0), "attend_buffer_s": Signal(2.0), "speed_kmh": Signal(100.0)}
    signals |= {"kss_low": Signal(2.0), "kss_high": Signal(5.0), "kss_confidence": Signal(0.9)}
    manager = AlertManager([profile], "run")
    for second in range(600):
        seen = Assessment(float(second), DriverState.ATTENTIVE, (), signals, 1.0, "gaze")
        assert manager.update(seen) == ()
