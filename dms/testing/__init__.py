"""Fakes for tests: a clock moved by hand, a scripted source, a remembering sink, stories of drivers.

A story is told in simulated time and sampled at any rate:

```
story = Story(fps=30).driving(90).attentive(10).look_at("lap", 3.05).attentive(5)
alerts = play(story, AssessConfig(), load_profile("euroncap_2026"))
```
"""

from dms.testing.fakes import ManualClock, MemorySink, ScriptedSource
from dms.testing.playing import Played, judge, play, watch
from dms.testing.scene import PLACES, Scene
from dms.testing.story import Story

__all__ = [
    "PLACES",
    "ManualClock",
    "MemorySink",
    "Played",
    "Scene",
    "ScriptedSource",
    "Story",
    "judge",
    "play",
    "watch",
]
