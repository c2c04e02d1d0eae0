"""One policy for several cameras: the worst off decides, and each camera follows by itself."""

from __future__ import annotations

from dms.config import ControlConfig
from dms.control.levels import LEVELS
from dms.control.policy import Decision, Load, Policy
from dms.control.shared import SharedPolicy, worst
from dms.records import DeviceReading

BUDGET_S = 1 / 30
EVERY_S = 0.5
LATE, IN_TIME = Load(0.05, 0.0), Load(0.005, 0.0)


class Noted(Policy):
    """A policy that keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(ControlConfig(), BUDGET_S, [1.0 - 0.1 * level.number for level in LEVELS])
        self.asked: list[tuple[float, Load]] = []

    def update(self, now_s: float, reading: DeviceReading | None, load: Load) -> Decision:
        self.asked.append((now_s, load))
        return super().update(now_s, reading, load)


def shared() -> SharedPolicy:
    return SharedPolicy(Noted(), BUDGET_S, EVERY_S)


def test_the_worst_of_what_is_known_counts() -> None:
    assert worst([Load(0.01, None), Load(None, 0.2), Load(0.03, 0.1)]) == Load(0.03, 0.2)
    assert worst([]) == Load(None, None)


def test_one_late_camera_raises_the_level_of_all_and_each_follows_once() -> None:
    policy = shared()
    front, rear = policy.of("front", BUDGET_S), policy.of("rear", BUDGET_S)
    moves: dict[str, list[tuple[int, int]]] = {"front": [], "rear": []}
    for tick in range(20):
        now_s = tick * EVERY_S
        for name, camera, load in (("front", front, IN_TIME), ("rear", rear, LATE)):
            decision = camera.update(now_s, None, load)
            if decision.level != decision.previous:
                moves[name].append((decision.previous, decision.level))
    assert moves["front"][:2] == [(0, 1), (1, 2)]
    assert moves["front"] == moves["rear"][: len(moves["front"])]
    assert front.level >= 2


def test_a_latency_counts_against_the_budget_of_its_camera() -> None:
    policy = shared()
    slow = policy.of("slow", 4 * BUDGET_S)  # 7.5 frames a second
    levels = [slow.update(tick * EVERY_S, None, LATE).level for tick in range(20)]
    assert set(levels) == {0}


def test_what_a_camera_told_long_ago_counts_no_more() -> None:
    policy = shared()
    front, gone = policy.of("front", BUDGET_S), policy.of("gone", BUDGET_S)
    gone.update(0.0, None, LATE)
    levels = [front.update(tick * EVERY_S, None, IN_TIME).level for tick in range(7, 60)]
    assert set(levels) == {0}


def test_threads_that_come_to_the_lock_out_of_order_decide_once_and_leave_nobody_out() -> None:
    noted = Noted()
    policy = SharedPolicy(noted, BUDGET_S, EVERY_S)
    rear, front = policy.of("rear", BUDGET_S), policy.of("front", BUDGET_S)
    for tick in range(10):
        rear.update(tick * EVERY_S, None, LATE)
        front.update(tick * EVERY_S - 0.001, None, IN_TIME)  # it asked first, and came second
    assert noted.asked == [(tick * EVERY_S, LATE) for tick in range(10)]


def test_the_troubles_are_those_of_the_device() -> None:
    policy = shared()
    camera = policy.of("front", BUDGET_S)
    for tick in range(40):
        camera.update(tick * EVERY_S, None, LATE)
    assert camera.level == len(LEVELS) - 1
    assert "reduced" in camera.troubles()
