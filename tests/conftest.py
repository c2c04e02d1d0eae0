"""What all tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

from dms.sources.opencv import hush_opencv

# Deterministic, and never failed by a slow machine; `HYPOTHESIS_PROFILE=search` looks for new cases.
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "search", parent=settings.get_profile("steady"), derandomize=False, max_examples=2000
)
# FFmpeg reads its level once, with the first file: whichever test comes first must not decide.
hush_opencv()

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """What was captured may hold text that is no Unicode, by tests of bad input: workers cannot send it."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def _no_service_manager(monkeypatch):
    """Tests never talk to the service manager that happens to run them."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
