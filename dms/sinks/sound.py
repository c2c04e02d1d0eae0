"""Sounds alerts on this machine's speaker, through miniaudio: PulseAudio (or PipeWire), or ALSA.

The device plays all the time, silence where nothing is due: so the first tone waits for nothing, and a device
that dies is noticed before an alert needs it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping
from types import ModuleType
from typing import Any

from dms.config.local import SoundConfig
from dms.errors import ConfigError, SinkError
from dms.keeper import Keeper
from dms.records import Message
from dms.sinks.standing import Standing
from dms.sinks.tones import RATE_HZ, Voice

SILENT_AFTER_S = 2.5
"""A device that asks for no sound for this long plays none. PulseAudio may take 2 s to begin."""
TEST_PERIODS = 3
"""At start so much silence must have been played."""
_BACKENDS = {"auto": ("PULSEAUDIO", "ALSA"), "pulseaudio": ("PULSEAUDIO",), "alsa": ("ALSA",)}


class SoundSink:
    """Tones while an alert stands, distinct by class and severity (`patterns`).

    A missing, failing or hanging device is a fault; it is opened anew until it plays.

    Raises:
        ConfigError: miniaudio is not installed.
    """

    name = "sound"

    def __init__(self, config: SoundConfig) -> None:
        library = _miniaudio()
        self._standing = Standing()
        self._voice = Voice(self._standing, config.volume)
        self._keeper = Keeper(self.name, lambda wake: _Speaker(library, config, self._voice, wake))

    def publish(self, message: Message) -> None:
        """Note what begins, ends or is acknowledged: the next samples hold it."""
        self._standing.take(message)

    def fault(self) -> str | None:
        """What keeps the tones from being heard; None while the device takes them."""
        return self._keeper.fault()

    def figures(self) -> Mapping[str, float]:
        """Patterns begun, and the longest time from `publish` until the device took the first sample."""
        return self._standing.figures()

    def close(self) -> None:
        """Fall silent and release the device."""
        self._standing.clear()
        self._keeper.close()


class _Speaker:
    """The open device."""

    def __init__(self, library: ModuleType, config: SoundConfig, voice: Voice, wake: threading.Event) -> None:
        self._wake = wake
        self._voice = voice
        self._asked = 0
        self._asked_s = time.monotonic()
        self._device = _open(library, config)
        source = self._source()
        next(source)
        try:
            self._device.start(source)
        except library.MiniaudioError as e:
            self._device.close()
            raise SinkError(f"the sound device was found but does not play: {_reason(e)}") from e
        self._test()

    def work(self) -> None:
        """See that the device goes on asking for sound."""
        self._wake.wait(0.2)
        self._check()

    def close(self) -> None:
        self._device.close()

    def _test(self) -> None:
        try:
            while self._asked < TEST_PERIODS:
                self._check()
                time.sleep(0.005)
        except SinkError:
            self.close()
            raise

    def _check(self) -> None:
        silent_s = time.monotonic() - self._asked_s
        if silent_s > SILENT_AFTER_S:
            raise SinkError(
                f"the sound device has taken no sound for {silent_s:.0f} s: it was unplugged, or its server "
                "ended or hangs; it is opened anew"
            )

    def _source(self) -> Generator[bytes, int, None]:
        """Runs on miniaudio's thread."""
        frames = yield b""
        while True:
            self._asked += 1
            self._asked_s = time.monotonic()
            frames = yield self._voice.fill(frames)


def _open(library: ModuleType, config: SoundConfig) -> Any:
    # Named one by one: left to itself miniaudio falls back to a device that plays nowhere.
    backends = [library.Backend[name] for name in _BACKENDS[config.backend]]
    for backend in backends:
        try:
            return library.PlaybackDevice(
                library.SampleFormat.SIGNED16,
                nchannels=1,
                sample_rate=RATE_HZ,
                buffersize_msec=round(config.period_s * 1e3),
                device_id=_device_id(library, backend, config.device),
                callback_periods=2,
                backends=[backend],
                app_name="dms",
            )
        except library.MiniaudioError as e:
            if backend is backends[-1]:
                raise SinkError(
                    f"no sound device can be opened ({config.backend}): {_reason(e)}; look at `aplay -l` and "
                    "`pactl info` as the user of this service, who must be in the group `audio` for ALSA"
                ) from e
    raise AssertionError("unreachable")


def _device_id(library: ModuleType, backend: Any, name: str | None) -> Any:
    if name is None:
        return None
    found = {device["name"]: device["id"] for device in library.Devices([backend]).get_playbacks()}
    if name not in found:
        raise SinkError(f"sinks.sound.device: there is no {name!r}; there are {', '.join(map(repr, found))}")
    return found[name]


def _reason(error: Exception) -> str:
    return " ".join(str(part) for part in error.args)


def _miniaudio() -> ModuleType:
    try:
        import miniaudio
    except ImportError as e:
        raise ConfigError(
            "sinks.sound needs miniaudio: install the extra (`pip install 'dms[sound]'`), or set "
            "sinks.sound.enabled=false"
        ) from e
    found: ModuleType = miniaudio
    return found
