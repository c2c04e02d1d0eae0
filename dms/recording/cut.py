"""Taking one alert out of a bundle, as a bundle of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dms.errors import InputError
from dms.files import require_folder
from dms.recording.bundle import Bundle, Line, Moment, drop_landmarks, is_bundle, line_of, open_bundle, save
from dms.recording.checkpoint import checkpoint, restore
from dms.recording.documents import AFTER_S, BEFORE_S
from dms.recording.replay import judge
from dms.recording.shelf import bundle_of, shelved


def find(origin: Path, alert_id: str | None) -> tuple[Path, str | None]:
    """The bundle that holds an alert, in a folder or itself; without an id, the folder's newest.

    Raises:
        InputError: there is none.
    """
    if not origin.is_dir():
        if not is_bundle(origin):
            raise InputError(f"{origin} is no bundle: JSON lines are rounded and cannot be judged again")
        return origin, alert_id
    if alert_id is None:
        path = next((newest.path for newest in shelved(origin)), None)
    else:
        path = bundle_of(origin, alert_id)
    if path is None:
        raise InputError(f"no bundle of {alert_id or 'any alert'} in {origin}")
    return path, alert_id


def copy(path: Path, alert_id: str | None, out: Path, *, landmarks: bool) -> None:
    """Write the part of a bundle round an alert, or all of it without an id, as a bundle of its own.

    Raises:
        InputError: it holds no such alert, is damaged, or `out` cannot be written.
    """
    require_folder(out)
    if out.exists() and out.samefile(path):
        raise InputError(f"{out} is the bundle itself: give the copy a name of its own")
    with open_bundle(path) as bundle:
        manifest = {key: value for key, value in bundle.manifest.items() if key not in _OWN}
        manifest["landmarks"] = landmarks and bundle.manifest.get("landmarks", False)
        if alert_id is None or bundle.manifest.get("alert"):  # made for one alert already
            state, lines = bundle.checkpoint, bundle.lines()
        else:
            state, lines = _around(bundle, alert_id)
        known = [_written(line, landmarks=landmarks) for line in lines]
        manifest["alerts"] = _alerts(known)
        if alert_id is not None and alert_id not in manifest["alerts"]:
            raise InputError(f"{path} holds no alert {alert_id}")
        save(out, manifest, state, map(line_of, known))


_OWN = ("schema", "lines", "sha256")


def _around(bundle: Bundle, alert_id: str) -> tuple[Any, Iterator[Line]]:
    """The state some seconds before an alert, reached by judging up to there, and the lines from there on."""
    begin_s, end_s = _span(bundle, alert_id)
    judges, lines = restore(bundle.checkpoint), bundle.lines()
    for line in lines:
        content = line.content
        if isinstance(content, Moment):
            if content.observation.captured_s >= begin_s:
                return checkpoint(judges), _until(line, lines, end_s)
            judge(judges, content)
    raise InputError(f"{bundle.path} holds no alert {alert_id}")


def _span(bundle: Bundle, alert_id: str) -> tuple[float, float]:
    times_s = [
        (alert.onset_s, alert.captured_s)
        for line in bundle.lines()
        if isinstance(line.content, Moment)
        for alert in line.content.alerts
        if alert.id == alert_id
    ]
    if not times_s:
        raise InputError(
            f"{bundle.path} holds no alert {alert_id}; `dms explain --from {bundle.path}` lists them"
        )
    return times_s[0][0] - BEFORE_S, times_s[-1][1] + AFTER_S


def _until(first: Line, rest: Iterator[Line], end_s: float) -> Iterator[Line]:
    yield first
    for line in rest:
        if isinstance(line.content, Moment) and line.content.observation.captured_s > end_s:
            return
        yield line


def _written(line: Line, *, landmarks: bool) -> dict[str, Any]:
    if not landmarks:
        drop_landmarks(line.written)
    return line.written


def _alerts(written: list[dict[str, Any]]) -> list[str]:
    return sorted({alert["id"] for document in written for alert in document.get("alerts", ())})
