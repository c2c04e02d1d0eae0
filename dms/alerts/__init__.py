"""From judgement to alerts: `profiles` declare the rules, a `Chain` carries one alert, the manager all."""

from dms.alerts.manager import AlertManager
from dms.alerts.profiles import load_profile, load_profiles
from dms.alerts.rules import Profile

__all__ = ["AlertManager", "Profile", "load_profile", "load_profiles"]
