"""Calibration data: pictures that show what the engines will meet, gathered, checked and drawn."""

RELEASE = 300
"""Pictures from which a set is large enough for a release; `dms.engines.limits` has the least for a trial."""
