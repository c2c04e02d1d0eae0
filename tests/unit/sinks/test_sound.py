"""Against a real PulseAudio, by what its sink's monitor holds."""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dms.config.local import SoundConfig
from dms.errors import ConfigError
from dms.records import Phase, Severity
from dms.sinks.patterns import PATTERNS, pattern_of
from dms.sinks.sound import SoundSink
from dms.sinks.standing import Standing
from dms.sinks.tones import RATE_HZ, Voice, render
from tests.pulse import pulse, until  # noqa: F401 - a fixture
from tests.unit.sinks import samples


def tell(sink, id="a", **changes):
    sink.publish(samples.judgement(alerts=[samples.alert(id=id, **changes)]))


def loudest_hz(sound):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / RATE_HZ)[spectrum.argmax()])


@pytest.fixture
def sink(pulse):  # noqa: F811
    made = SoundSink(SoundConfig(enabled=True, backend="pulseaudio"))
    until(lambda: made.fault() is None)
    yield made
    made.close()


def sounding(pulse):  # noqa: F811
    """The samples from the first that is heard on, once a second of them is there."""
    heard = pulse.heard()
    loud = np.flatnonzero(np.abs(heard) > 0.01)
    return (heard[loud[0] :],) if len(loud) and len(heard) - loud[0] > RATE_HZ else ()


def silent(pulse):  # noqa: F811
    heard = pulse.heard()[-RATE_HZ // 2 :]
    return len(heard) == RATE_HZ // 2 and np.abs(heard).max() < 1e-3


@pytest.mark.parametrize(
    ("type", "severity"),
    [
        ("distraction.long", Severity.WARNING),
        ("fatigue.microsleep", Severity.URGENT),
        ("driver.unresponsive", Severity.EMERGENCY),
        ("sensor.blocked", Severity.WARNING),
    ],
)
def test_the_right_tones_come_and_stop(pulse, sink, type, severity):  # noqa: F811
    tell(sink, type=type, severity=severity)
    (heard,) = until(lambda: sounding(pulse))
    at_s = 0.0
    for beep in pattern_of(type, severity).beeps:
        middle = heard[
            round((at_s + 0.15 * beep.on_s) * RATE_HZ) : round((at_s + 0.85 * beep.on_s) * RATE_HZ)
        ]
        assert loudest_hz(middle) == pytest.approx(beep.hz, abs=1.5 / beep.on_s)
        at_s += beep.on_s + beep.off_s
        if at_s > 0.7:
            break
    tell(sink, type=type, severity=severity, phase=Phase.END)
    until(lambda: silent(pulse))
    assert sink.figures()["patterns_begun"] == 1


def test_through_alsa(pulse):  # noqa: F811
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA's way to PulseAudio is not installed: apt-get install libasound2-plugins")
    Path(pulse.folder, ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    sink = SoundSink(SoundConfig(enabled=True, backend="alsa"))
    until(lambda: sink.fault() is None)
    tell(sink, type="driver.unresponsive", severity=Severity.EMERGENCY)
    assert until(lambda: sounding(pulse))
    assert sink.figures()["patterns_begun"] >= 1
    sink.close()


def test_graver_interrupts_at_once(pulse, sink):  # noqa: F811
    tell(sink, type="distraction.long", severity=Severity.WARNING)
    until(lambda: sounding(pulse))
    before = len(pulse.heard())
    tell(sink, "b", type="driver.unresponsive", severity=Severity.EMERGENCY)
    until(lambda: len(pulse.heard()) > before + RATE_HZ)
    heard = pulse.heard()[before + RATE_HZ // 2 :][: RATE_HZ // 2]
    assert np.sqrt(np.mean(heard**2)) > 0.2, "continuous"


def test_a_server_that_dies_is_told_and_found_again(pulse, sink):  # noqa: F811
    pulse.stop()
    assert "no sound" in until(sink.fault)
    pulse.start()
    until(lambda: sink.fault() is None)
    tell(sink, type="driver.unresponsive", severity=Severity.EMERGENCY)
    until(lambda: sounding(pulse))


def test_a_server_that_hangs_is_told_and_stalls_nobody(pulse, sink):  # noqa: F811
    pulse.hang()
    begun_s = time.monotonic()
    tell(sink, type="driver.unresponsive", severity=Severity.EMERGENCY)
    assert time.monotonic() - begun_s < 0.1
    assert until(sink.fault)
    assert time.monotonic() - begun_s < 10
    pulse.go_on()
    until(lambda: sink.fault() is None)
    tell(sink, type="driver.unresponsive", severity=Severity.EMERGENCY)
    until(lambda: sounding(pulse))


def test_closing_while_the_server_hangs_takes_a_second_at_most(pulse, sink):  # noqa: F811
    pulse.hang()
    until(sink.fault)
    begun_s = time.monotonic()
    sink.close()
    assert time.monotonic() - begun_s < 2
    pulse.go_on()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "dms-sound"])


def test_a_device_that_is_not_there_is_a_fault_that_names_those_that_are(pulse):  # noqa: F811
    sink = SoundSink(SoundConfig(enabled=True, backend="pulseaudio", device="Nowhere"))
    assert "'Nowhere'; there are" in until(sink.fault)
    sink.close()


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    with pytest.raises(ConfigError, match=r"dms\[sound\]"):
        SoundSink(SoundConfig(enabled=True))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_rendered_lasts_as_long_as_its_rhythm_and_never_clips(pattern):
    turn = render(pattern)
    assert len(turn) == pytest.approx(pattern.length_s * RATE_HZ, abs=len(pattern.beeps))
    assert 0.5 * pattern.gain < np.abs(turn).max() <= pattern.gain
    edges = np.abs(np.diff(turn))
    assert edges.max() < 0.5, "no click"


def test_a_pattern_goes_on_over_any_cut_into_buffers():
    def played(sizes):
        standing = Standing()
        voice = Voice(standing, 1.0)
        standing.take(samples.judgement(alerts=[samples.alert()]))
        return b"".join(voice.fill(size) for size in sizes)

    assert played([960] * 50) == played([1, 47_998, 1]) == played([48_000])


def test_what_is_told_once_ends_by_itself():
    standing = Standing()
    voice = Voice(standing, 1.0)
    standing.take(samples.judgement(alerts=[samples.alert(type="sensor.blocked")]))
    assert any(voice.fill(RATE_HZ))
    assert not any(voice.fill(RATE_HZ))
    assert standing.figures()["patterns_begun"] == 1


def test_what_is_told_once_sounds_anew_when_it_escalates_at_its_very_end():
    standing = Standing()
    voice = Voice(standing, 1.0)

    def note(severity, phase):
        alert = samples.alert(id="a", type="sensor.no_face", severity=severity, phase=phase)
        standing.take(samples.judgement(alerts=[alert]))

    note(Severity.CAUTION, Phase.START)
    voice.fill(RATE_HZ)
    note(Severity.URGENT, Phase.UPDATE)
    sound = np.frombuffer(voice.fill(RATE_HZ), "<i2")
    assert np.abs(sound).max() > 1000
