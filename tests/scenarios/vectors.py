"""What the boundary vectors share: the profiles, and what is told of a story."""

from __future__ import annotations

from dms.alerts import Profile, load_profile
from dms.config.assess import AssessConfig
from dms.records import Alert, Phase
from dms.testing import Played, Story, watch
from tests.scenarios.cameras import LEAD_S
from tests.scenarios.telling import SALOON

CONFIG = AssessConfig()
EURONCAP, ADDW = load_profile("euroncap_2026"), load_profile("eu_addw")
MICROSLEEP, SLEEP, UNRESPONSIVE = "fatigue.microsleep", "fatigue.sleep", "driver.unresponsive"
LONG, VATS = "distraction.long", "distraction.vats"


def alerts(story: Story, profile: Profile = EURONCAP) -> list[Alert]:
    """Those about the driver: a camera that loses frames at 5 a second is rightly told of, too."""
    return of_driver(watch(story, CONFIG, profile, cabin=SALOON))


def of_driver(played: Played) -> list[Alert]:
    """Those that are not about the system."""
    return [alert for alert in played.alerts if not alert.type.startswith("system.")]


def begun(story: Story, profile: Profile = EURONCAP) -> list[tuple[str, float]]:
    """(type, seconds after the lead) of every start and escalation."""
    return [(a.type, a.captured_s - LEAD_S) for a in alerts(story, profile) if a.phase is not Phase.END]


def types(story: Story, profile: Profile = EURONCAP) -> list[str]:
    """The type of every start and escalation."""
    return [name for name, _ in begun(story, profile)]
