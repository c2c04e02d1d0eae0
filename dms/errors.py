"""Every error `dms` raises on purpose.

```
DmsError                 something a person can act on; its text says what, where and the cure
├── ConfigError          a configuration file, key or value is wrong
├── SourceError          a frame source
│   ├── SourceLost       it died or was never there; a live source may come back
│   └── SourceEnded      a recording is over: the normal end of a file
├── EngineError          an engine file or what it computes
│   ├── EngineMissing    no file where the manifest says one is
│   ├── EngineUnavailable  the runtime or its hardware is not here: another runtime may do
│   ├── EngineMismatch   truncated, changed, or another net (hash or signature)
│   └── EngineOutputError  NaN, infinity or a wrong shape came out
├── SinkError            a sink cannot be set up
└── InputError           a file or folder given by the user is missing, unreadable or malformed
```

Adapters raise these, chained with `from`; `loop.py` alone decides to degrade; `cli.py` alone turns them
into one line of text and an exit code.
"""


class DmsError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class ConfigError(DmsError):
    """A configuration file, key or value is wrong."""

    exit_code = 2


class InputError(DmsError):
    """A file or folder given by the user is missing, unreadable or malformed."""

    exit_code = 3


class SourceError(DmsError):
    """A frame source failed."""

    exit_code = 4


class SourceLost(SourceError):
    """The source died or was never there; a live source may come back."""


class SourceEnded(SourceError):
    """The recording is over: the normal end of a file, no failure."""


class EngineError(DmsError):
    """An engine file, or what it computes, is wrong."""

    exit_code = 5


class EngineMissing(EngineError):
    """No file where the manifest says one is."""


class EngineUnavailable(EngineError):
    """The runtime, or the hardware it is for, is not here or not fit; another runtime may do."""


class EngineMismatch(EngineError):
    """The file is truncated, changed, or holds another net."""


class EngineOutputError(EngineError):
    """An engine returned NaN, infinity or a wrong shape."""


class SinkError(DmsError):
    """A sink cannot be set up."""

    exit_code = 6
