"""Keeping names of persons, machines, folders and networks out of what is handed on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from dms.config import Config
from dms.recording.bundle import Moment, Told
from dms.records import Observation

PUBLIC = ("assess", "alerts", "cabin", "tracking", "schedule", "control", "engines")
"""Sections of the configuration that tell how was judged; the others tell where and for whom."""

_REST = r"[^\s,;'\"()]+"
_NAME = r"[^\s,;:'\"()/]+"
_LOCATION = re.compile(
    rf"(?:\w+://|(?<![\w.])~?/|\b[A-Za-z]:\\){_REST}"
    # A relative path begins with a dot or its last name has an ending: `km/h` and `dms.frame/1` are none.
    rf"|(?<![^\s,;:'\"()])(?:\.{{1,2}}/{_REST}|(?:{_NAME}/)+{_NAME}\.[A-Za-z]\w*|{_NAME}\.ya?ml\b)"
)
_PATH = re.compile(r"[/\\]|\.ya?ml$")
"""What makes a whole value a path, spaces and all; names of shipped profiles and cabins hold none of it."""
_AUTHORITY = re.compile(r"://([^\s/'\"]+)")
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_LEFT_OUT = "…"
_LEAST_LENGTH = 3


class Redactor:
    """Replaces paths, addresses and the given words in texts for persons.

    Only such texts are touched: what a stage, a source or a sink said of its fault.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Take words to leave out, as host, user and vehicle names are."""
        known = sorted({word for word in words if len(word) >= _LEAST_LENGTH}, key=len, reverse=True)
        self._words = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in known) or r"(?!)")

    def text(self, text: str) -> str:
        """A text without them."""
        for pattern in (_LOCATION, _IPV4, self._words):
            text = pattern.sub(_LEFT_OUT, text)
        return text

    def line(self, content: Moment | Told) -> Moment | Told:
        """What a line tells, with no place named in its faults."""
        return self._moment(content) if isinstance(content, Moment) else self._told(content)

    def _moment(self, moment: Moment) -> Moment:
        seen, verdict = moment.observation, moment.assessment
        if not seen.faults and not seen.context.vehicle.faults:
            return moment
        hidden = self._observation(seen)
        if verdict is not None:
            verdict = replace(verdict, context=hidden.context)
        return replace(moment, observation=hidden, assessment=verdict)

    def _told(self, told: Told) -> Told:
        hidden = dict(told)
        if isinstance(told.get("detail"), str):
            hidden["detail"] = self.text(told["detail"])
        if isinstance(told.get("causes"), list):
            hidden["causes"] = [{**cause, "detail": self.text(cause["detail"])} for cause in told["causes"]]
        return hidden

    def checkpoint(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """A checkpoint in which neither the faults that a record keeps nor a section name a place."""
        things = list(checkpoint["things"])
        for thing in checkpoint["things"]:
            if thing[0] == "object" and thing[1].rpartition(".")[2] in ("Vehicle", "Observation"):
                index = thing[2]["faults"]["@"]
                things[index] = ["dict", [[name, self.text(why)] for name, why in things[index][1]]]
        constants = [self._constant(thing) for thing in checkpoint["constants"]]
        return {**checkpoint, "things": things, "constants": constants}

    def config(self, config: Config) -> dict[str, Any]:
        """The sections that tell how was judged, without paths."""
        dumped = config.model_dump(mode="json", include=set(PUBLIC))
        return {name: self._value(section) for name, section in dumped.items()}

    def _constant(self, thing: list[Any]) -> list[Any]:
        """A section without paths; its other texts stay as they are, because alerts may quote them."""
        if thing[0] != "object":
            return thing
        values = {
            name: _LEFT_OUT if isinstance(value, str) and _LOCATION.match(value) else value
            for name, value in thing[2].items()
        }
        return [*thing[:2], values]

    def _observation(self, seen: Observation) -> Observation:
        vehicle = replace(seen.context.vehicle, faults=self._texts(seen.context.vehicle.faults))
        return replace(seen, faults=self._texts(seen.faults), context=replace(seen.context, vehicle=vehicle))

    def _texts(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {name: self.text(text) for name, text in texts.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):  # all are names of things, or paths
            return _LEFT_OUT if _PATH.search(value) else self.text(value)
        if isinstance(value, dict):
            return {name: self._value(item) for name, item in value.items()}
        return [self._value(item) for item in value] if isinstance(value, list) else value


def words_of(config: Config) -> Iterator[str]:
    """Every text of the sections that tell where and for whom; of an address host, user and password too."""
    for name, section in config.model_dump(mode="json").items():
        if name not in PUBLIC:
            yield from _texts_in(section)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        for authority in _AUTHORITY.findall(value):
            yield from re.split("[:@]", authority)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(item)
