"""What can be set, with its default, unit and range: one model a section of the YAML file.

`configs/default.yaml` spells out every key; `file` reads and overlays files, `text` writes the
configuration as text. Models are frozen and refuse unknown keys.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dms.config.alerts import AlertsConfig
from dms.config.assess import AssessConfig
from dms.config.cabin import CabinConfig
from dms.config.inputs import InputsConfig
from dms.config.seat import SeatConfig
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


class RateConfig(Section):
    """How often a stage runs: in time, not in frames. `eyes` runs on every frame that is judged."""

    every_s: Seconds
    """Seconds between two runs while all is well; 0 = every frame."""
    urgent_every_s: Seconds
    """Seconds between two runs while the eyes close, the gaze leaves the road or an alert stands."""
    max_age_s: PositiveSeconds
    """A result is never let become older than this, whatever the budget says."""

    @model_validator(mode="after")
    def _ages_fit(self) -> RateConfig:
        if not self.urgent_every_s <= self.every_s <= self.max_age_s:
            raise ValueError(
                "urgent_every_s must be at most every_s, and every_s at most max_age_s: "
                f"got {self.urgent_every_s:g}, {self.every_s:g} and {self.max_age_s:g}"
            )
        return self


class FaceRateConfig(RateConfig):
    """The detector confirms a face that is followed this often; a lost one is sought on every frame."""

    every_s: Seconds = 1.0
    urgent_every_s: Seconds = 1.0
    max_age_s: PositiveSeconds = 3.0


class FatigueRateConfig(RateConfig):
    """Lids, yawns and covered mouths."""

    every_s: Seconds = 0.066
    urgent_every_s: Seconds = 0.0
    max_age_s: PositiveSeconds = 0.25


class DistractionRateConfig(RateConfig):
    """Phone and other activities."""

    every_s: Seconds = 0.2
    urgent_every_s: Seconds = 0.1
    max_age_s: PositiveSeconds = 0.45


class ScheduleConfig(Section):
    """Which stages run on a frame."""

    budget_s: float | None = Field(None, gt=0)
    """Time from capture to judgement that a frame may take; null = one interval at `source.fps`."""
    face: FaceRateConfig = FaceRateConfig()
    fatigue: FatigueRateConfig = FatigueRateConfig()
    distraction: DistractionRateConfig = DistractionRateConfig()


class ControlConfig(Section):
    """The controller that lowers precision and rate before heat or load makes judgements late.

    Live sources and recordings played at their pace are controlled; what is judged as fast as it goes is not.
    """

    enabled: bool = True
    """Let it change the level; false = stay at level 0 whatever comes."""
    every_s: PositiveSeconds = 0.5
    """Seconds between two looks at sensors and latencies."""
    assumed_trip_c: float = Field(95.0, ge=40, le=150)
    """Where the device is taken to slow its clocks down when its trip points cannot be read."""
    late_above: float = Field(0.85, gt=0, le=1)
    """Share of the budget that the 95th percentile of latency may take; above it the level rises."""
    in_time_below: float = Field(0.6, gt=0, le=1)
    """Share of the budget below which, for `down_after_s`, the level falls."""
    up_after_s: PositiveSeconds = 2.0
    """Least time between two steps up."""
    down_after_s: PositiveSeconds = 30.0
    """Least time between two steps down."""
    changes_per_min: int = Field(4, ge=1, le=60)
    """More changes than this within a minute: the level is held and that is told."""
    power_limit_w: float | None = Field(None, gt=0)
    """Power of the whole board above which the level rises; null = none."""

    @model_validator(mode="after")
    def _bands_overlap(self) -> ControlConfig:
        if self.in_time_below >= self.late_above:
            raise ValueError(
                "in_time_below must be below late_above, or the level would go up and down for ever: "
                f"got {self.in_time_below:g} and {self.late_above:g}"
            )
        return self


CameraName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class ServiceConfig(Section):
    """The process itself."""

    vitals_every_s: PositiveSeconds = 5.0
    """Seconds between two vitals messages."""


class Config(Section):
    """The whole configuration."""

    source: SourceConfig = SourceConfig()
    cameras: dict[CameraName, SourceConfig] = Field({})
    """Several drivers watched by one process, in place of `source`: a name, and below it the keys of a
    source. Each speaks over MQTT as the vehicle `<vehicle>-<name>` (docs/cameras.md)."""
    engines: EnginesConfig = EnginesConfig()
    tracking: TrackingConfig = TrackingConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    control: ControlConfig = ControlConfig()
    assess: AssessConfig = AssessConfig()
    cabin: CabinConfig = CabinConfig()
    seat: SeatConfig = SeatConfig()
    inputs: InputsConfig = InputsConfig()
    alerts: AlertsConfig = AlertsConfig()
    sinks: SinksConfig = SinksConfig()
    service: ServiceConfig = ServiceConfig()

    @model_validator(mode="after")
    def _results_are_renewed_before_they_are_stale(self) -> Config:
        stale_s = self.assess.availability.stale_after_s
        for stage in ("fatigue", "distraction"):
            rate: RateConfig = getattr(self.schedule, stage)
            if rate.max_age_s > stale_s:
                raise ValueError(
                    f"schedule.{stage}.max_age_s is {rate.max_age_s:g}, but a result older than {stale_s:g} "
                    "seconds (assess.availability.stale_after_s) is unknown; make it at most that"
                )
        return self
