"""From judgement to alerts: `profiles` declare the rules, a `Chain` carries one alert, the manager all."""

from dms.alerts.manager import AlertManager
from dms.alerts.profile import Profile
from dms.alerts.profiles import load_profile, load_profiles

__all__ = ["AlertManager", "Profile", "load_profile", "load_profiles"]
