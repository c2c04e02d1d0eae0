"""What can be set, with its default, unit and range: one model a section of the YAML file.

`configs/default.yaml` spells out every key; `file` reads and overlays files, `text` writes the
configuration as text. Models are frozen and refuse unknown keys.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dms.config.assess import AssessConfig
from dms.config.section import PositiveSeconds, Probability, Seconds, Section
from dms.config.sinks import SinksConfig

Precision = Literal["fp32", "fp16", "int8", "best"]
Runtime = Literal["ort", "ort-cuda", "ort-tensorrt", "openvino", "litert", "qnn", "trt"]
"""The keys of `backends.BACKENDS`; a test holds the two equal."""


class SourceConfig(Section):
    """Where frames come from."""

    uri: str = "demo"
    """Camera, video file, image folder, URL, `sim:SCRIPT.yaml`, or `demo`, the clip that ships with dms."""
    width_px: int = Field(640, ge=16, le=7680)
    """Width asked of a camera; files keep their own."""
    height_px: int = Field(360, ge=16, le=4320)
    """Height asked of a camera; files keep their own."""
    fps: float = Field(30.0, gt=0, le=240)
    """Rate asked of a camera, and the pace of a folder whose files carry no times."""
    realtime: bool = True
    """Play files at their recorded pace, dropping frames like a camera, not as fast as possible."""
    open_timeout_s: PositiveSeconds = 10.0
    """How long to wait for the first frame."""
    lost_after_s: PositiveSeconds = 2.0
    """No new frame for this long means the camera is lost."""
    reopen_every_s: PositiveSeconds = 2.0
    """Pause between attempts to reopen a lost camera."""


class EngineConfig(Section):
    """One engine: which file and which runtime."""

    precision: Precision = "int8"
    """Which artefact runs; `int8` is the INT8 form made for the backend, `best` what
    `dms engines build --gate` chose on this device (until it has, and after a change of the device, fp16 on
    GPUs and Hexagon, fp32 on processors)."""
    backend: Runtime = "ort"
    """Which runtime runs it; docs/platforms tells what each needs and how fast it is."""
    threads: int = Field(1, ge=1, le=16)
    """Threads of the runtime for this engine, on a processor."""
    delegate: str | None = None
    """LiteRT only: shared library of an accelerator, for instance TI's /usr/lib/libtidl_tfl_delegate.so."""

    @model_validator(mode="after")
    def _delegate_is_for_litert(self) -> EngineConfig:
        if self.delegate is not None and self.backend != "litert":
            raise ValueError(f"delegate is for the backend litert, not for {self.backend}; leave it out")
        return self


class EnginesConfig(Section):
    """The four engines and where they lie."""

    folder: str | None = None
    """Folder with one sub-folder an engine; null = the engines shipped with the package."""
    cache: str | None = None
    """Folder for what is built on this device, such as TensorRT plans; null = the user's cache folder, or the
    service's."""
    fallback: Runtime | None = "ort"
    """Which runtime runs an engine that its own cannot run here, which is told aloud; null: do not start."""
    max_batch: int = Field(1, ge=1, le=64)
    """The most pictures one call brings: several cameras or a folder in one go. TensorRT's plans are built
    for it; the other runtimes take any number."""
    face: EngineConfig = EngineConfig()
    eyes: EngineConfig = EngineConfig()
    fatigue: EngineConfig = EngineConfig()
    distraction: EngineConfig = EngineConfig()


class TrackingConfig(Section):
    """When a face is a face, and when a track is one."""

    detect_score: Probability = 0.5
    """A detection below this score is no face; 0.5 finds 99.6 % of held-out drivers (docs/engines.md)."""
    presence: Probability = 0.5
    """A tracked crop below this face-present score is a lost track."""


class ScheduleConfig(Section):
    """How often each stage runs, in seconds: rates are kept in time, not in frames."""

    detect_every_s: PositiveSeconds = 1.0
    """A tracked face is confirmed by the detector this often; a lost one is sought on every frame."""
    fatigue_every_s: Seconds = 0.0
    """Seconds between runs of the fatigue engine; 0 = every frame."""
    distraction_every_s: Seconds = 0.1
    """Seconds between runs of the distraction engine."""


class AlertsConfig(Section):
    """Which rules raise alerts."""

    profile: str = "euroncap_2026"
    """A shipped profile's name, or the path of a profile file of your own."""


class ServiceConfig(Section):
    """The process itself."""

    vitals_every_s: PositiveSeconds = 5.0
    """Seconds between two vitals messages."""


class Config(Section):
    """The whole configuration."""

    source: SourceConfig = SourceConfig()
    engines: EnginesConfig = EnginesConfig()
    tracking: TrackingConfig = TrackingConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    assess: AssessConfig = AssessConfig()
    alerts: AlertsConfig = AlertsConfig()
    sinks: SinksConfig = SinksConfig()
    service: ServiceConfig = ServiceConfig()
