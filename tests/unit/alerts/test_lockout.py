"""Who was beyond reach too often is locked out for the run."""

import pytest

from dms.records import Phase, Severity
from tests.unit.alerts.acts import EMERGENCY, LOCKOUT, Drive, profile, told

START, END = Phase.START, Phase.END


def test_three_emergencies_lock_the_driver_out_for_the_run():
    drive = Drive(profile(EMERGENCY, lockout=LOCKOUT))
    for number in range(4):
        changes = told(drive.grow("off_road_s").play(4.0))
        assert (("driver.lockout", START) in changes) is (number == 2)
        drive.set(off_road_s=0.0).play(1.0)
    drive.acknowledge()
    [lockout] = [alert for alert in drive.manager.active if alert.type == "driver.lockout"]
    assert (lockout.severity, lockout.evidence["emergencies"]) == (Severity.WARNING, 3.0)
    assert told(drive.manager.close(99.0)) == [("driver.lockout", END)]
    assert len({change.id for change in drive.changes}) == 5


def test_half_a_minute_of_emergency_locks_him_out_too():
    drive = Drive(profile(EMERGENCY, lockout=LOCKOUT))
    changes = drive.grow("off_road_s").play(60.0)
    assert [(c.type, c.captured_s) for c in changes] == [("distraction.long", 3.0), ("driver.lockout", 33.0)]


def test_nobody_is_locked_out_while_the_speed_is_unknown():
    drive = Drive(profile(EMERGENCY, lockout=LOCKOUT)).set(speed_kmh=None)
    assert told(drive.grow("off_road_s").play(600.0)) == [("distraction.long", START)]
    assert told(drive.set(speed_kmh=50.0).play(60.0)) == [("driver.lockout", START)]


@pytest.mark.parametrize("names", [("one", "two"), ("two", "one")])
def test_a_lockout_counts_the_emergencies_of_shared_chains_once_and_of_no_others(names):
    own = {**EMERGENCY, "clear_after_s": 0.5}
    locking = profile(EMERGENCY, name=names[0], lockout={**LOCKOUT, "emergencies": 2})
    drive = Drive(locking, profile(EMERGENCY, {**own, "chain": "own"}, name=names[1]))
    for number in range(1, 4):
        changes = told(drive.grow("off_road_s").play(4.0))
        assert (("driver.lockout", START) in changes) is (number == 2)
        drive.set(off_road_s=0.0).play(1.0)
