"""What speaks to the driver on the spot, and how he answers: sound, lamp and buzzer, a command, a button."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dms.config.section import PositiveSeconds, Section

Line = Annotated[int, Field(ge=0, le=1023)]


class SoundConfig(Section):
    """Tones for the driver; needs the extra `sound`."""

    enabled: bool = False
    """Sound alerts on a device of this machine."""
    backend: Literal["auto", "pulseaudio", "alsa"] = "auto"
    """Where to play; auto = PulseAudio (PipeWire answers as such), and ALSA where none runs."""
    device: str | None = None
    """Name of the device as the backend tells it; null = its default."""
    volume: float = Field(0.8, gt=0, le=1)
    """Loudness of the gravest tone, as a share of what the device can; the others follow, none is silent."""
    period_s: float = Field(0.02, ge=0.005, le=0.2)
    """Sound handed over at a time; longer survives a busier machine and comes later."""


class GpioConfig(Section):
    """A buzzer or lamps on GPIO lines; needs the extra `gpio`. One line may serve several severities."""

    enabled: bool = False
    """Drive the lines below, in the rhythm of the tones."""
    chip: str = "/dev/gpiochip0"
    """The GPIO chip."""
    active_low: bool = False
    """The line is low when buzzer or lamp is on."""
    caution_line: Line | None = None
    """Line for cautions, as an offset on the chip; null = none."""
    warning_line: Line | None = None
    """Line for warnings."""
    urgent_line: Line | None = None
    """Line for urgent alerts."""
    emergency_line: Line | None = None
    """Line for emergencies."""

    @model_validator(mode="after")
    def _names_a_line(self) -> GpioConfig:
        lines = (self.caution_line, self.warning_line, self.urgent_line, self.emergency_line)
        if self.enabled and all(line is None for line in lines):
            raise ValueError("it is enabled but names no line: set urgent_line or the like, or disable it")
        return self


class HookConfig(Section):
    """A command run for each phase of each alert, with the event as JSON on its standard input."""

    command: tuple[str, ...] = Field((), strict=False)
    """Program and arguments, without a shell; empty = none."""
    timeout_s: PositiveSeconds = 5.0
    """A command that runs for longer is killed, with all it started."""
    at_most: int = Field(4, ge=1, le=32)
    """Commands running at once; further events wait, 32 at most. With 1 they keep their order."""
    test_call: bool = False
    """Run the command once at start, with `DMS_EVENT_PHASE=test` and an empty object."""


class AcknowledgeGpioConfig(Section):
    """A button on a GPIO line; needs the extra `gpio`."""

    chip: str = "/dev/gpiochip0"
    """The GPIO chip."""
    line: Line | None = None
    """Line of the button, as an offset on the chip; null = no button."""
    active_low: bool = True
    """The button pulls the line low; its pull-up is asked for. Else it pulls high, with a pull-down."""
    debounce_s: float = Field(0.03, ge=0, le=1)
    """Changes shorter than this are no press."""


class AcknowledgeKeyConfig(Section):
    """A key."""

    terminal: bool = True
    """Enter, where `dms run` has a terminal."""
    device: str | None = None
    """An input device such as `/dev/input/by-id/usb-…-event-kbd`; null = none."""
    code: int | None = Field(None, ge=1, le=0x2FF)
    """The key's number in `linux/input-event-codes.h` (28 is Enter); null = any key of the device."""


class AcknowledgeConfig(Section):
    """How the driver acknowledges an alert on the spot."""

    gpio: AcknowledgeGpioConfig = AcknowledgeGpioConfig()
    key: AcknowledgeKeyConfig = AcknowledgeKeyConfig()
    stuck_after_s: PositiveSeconds = 10.0
    """A button held for longer is told as stuck."""
