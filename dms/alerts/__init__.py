"""From judgement to alerts: `profiles` declare the rules, a `Chain` carries one alert, the manager all."""

from dms.alerts.manager import AlertManager
from dms.alerts.profiles import Profile, load_profile

__all__ = ["AlertManager", "Profile", "load_profile"]
