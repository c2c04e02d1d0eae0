"""The hash of a profile changes with what decides over alerts, and with nothing else."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dms.alerts.profile import Profile
from dms.alerts.profiles import load_profile, shipped_profiles
from tests.unit.alerts.test_profiles import PROFILE, RULE, away

CHANGES = {
    "at_least": lambda rule: {**rule, "when": away(3.5)},
    "severity": lambda rule: {**rule, "severity": "urgent"},
    "speed": lambda rule: {**rule, "speed": {"from_kmh": 20, "down_to_kmh": 18}},
    "cause": lambda rule: {**rule, "cause": "Away."},
    "latch": lambda rule: {**rule, "latch_s": 1.0},
    "clear": lambda rule: {**rule, "clear_after_s": 1.0},
    "chain": lambda rule: {**rule, "chain": "elsewhere"},
}
CANDIDATES = [
    Profile.model_validate({**PROFILE, "rules": [change(RULE)]})
    for change in (lambda rule: rule, *CHANGES.values())
]


def test_the_hash_changes_with_every_rule():
    assert len({profile.hash for profile in CANDIDATES}) == len(CANDIDATES)


@given(st.data())
def test_the_hash_does_not_change_with_anything_else(data):
    rules = [RULE, {**RULE, "chain": "other"}, {**RULE, "chain": "third", "when": away(2.0)}]
    told = data.draw(st.permutations(rules))
    other = {**PROFILE, "name": "theirs", "version": data.draw(st.integers(1, 99)), "description": "else"}
    other["rules"] = [{**rule, "source": data.draw(st.text(min_size=1))} for rule in told]
    assert Profile.model_validate(other).hash == Profile.model_validate({**PROFILE, "rules": rules}).hash


def test_shipped_hashes_differ():
    hashes = [load_profile(name).hash for name in shipped_profiles()]
    assert all(one != other for one, other in itertools.combinations(hashes, 2))
