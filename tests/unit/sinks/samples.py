"""Messages as a real run makes them, and as one that went wrong may."""

from dataclasses import replace

import numpy as np

from dms.records import (
    Alert,
    Assessment,
    Box,
    Context,
    Control,
    DeviceReading,
    Direction,
    Distraction,
    DriverState,
    Eye,
    Eyes,
    Face,
    Fatigue,
    Health,
    HealthState,
    ImageQuality,
    Judgement,
    Observation,
    Phase,
    Severity,
    Signal,
    Turn,
    UnknownCause,
    Vehicle,
    Vitals,
)

VEHICLE = Context(
    Vehicle(speed_kmh=87.26, speed_source="can", speed_age_s=0.04, turn=Turn.LEFT, driver_side="left"),
    configured=True,
)


def alert(
    id="s-1", type="fatigue.microsleep", phase=Phase.START, severity=Severity.URGENT, at_s=11.5, **changes
):
    made = Alert(
        id=id,
        type=type,
        phase=phase,
        severity=severity,
        onset_s=10.0,
        detected_s=11.5,
        captured_s=at_s,
        cause="eyes closed for 1.5 s",
        evidence={"closure_s": 1.5, "limit_s": 1.5, "gaze": None, "eye": "both"},
        profile="euroncap_2026",
        profile_version=3,
        profile_hash="0123abcd",
    )
    return replace(made, **changes)


def eyes(captured_s, openness=0.9):
    return Eyes(
        captured_s=captured_s,
        landmarks=np.zeros((60, 2), np.float32),
        landmark_sigma=np.ones(60, np.float32),
        right=Eye(openness, 0.05, 0.99),
        left=Eye(openness - 0.1, 0.05, 0.98),
        gaze=Direction(-1.234, 5.678, 2.0),
        head=Direction(3.21, -4.56, 1.0, roll_deg=-0.01),
        presence=0.99,
    )


def judgement(captured_s=11.5, frame_id=345, state=DriverState.ATTENTIVE, alerts=(), causes=()):
    return Judgement(
        observation=Observation(
            captured_s=captured_s,
            frame_id=frame_id,
            quality=ImageQuality(40.0),
            face=Face(captured_s, Box(100.04, 50.0, 220.0, 200.0), 0.97654, tracked=True),
            eyes=eyes(captured_s),
            fatigue=Fatigue(captured_s, 0.01, 0.02, 0.03, 0.04, 0.05),
            distraction=Distraction(captured_s - 0.1, 0.1, 0.2, 0.0, 0.0, 0.0, 0.7),
            context=VEHICLE,
            age_s=0.0123456,
            level=2,
        ),
        assessment=Assessment(
            captured_s=captured_s,
            state=state,
            unknown_causes=tuple(causes),
            signals={"perclos_60s": Signal(0.12345, 3.0), "off_road_s": Signal(None)},
            calibration=0.5,
            gaze_source="gaze",
            unknown_since_s={cause: captured_s - 2.0 for cause in causes},
            state_since_s=captured_s - 1.5,
            confidence=0.87654,
            zone="road",
            learned={"eyes": 0.5, "forward": 1.0},
            baseline={"eyes.right": 0.81234, "forward.yaw_deg": None},
            uncertainty={"openness": 0.05123},
            context=VEHICLE,
            age_s=0.0123456,
            level=2,
        ),
        alerts=tuple(alerts),
        stage_s={"face": 0.0012345, "judge": 0.0001},
    )


def blind(captured_s=20.0):
    """What is judged when the camera is lost."""
    return Judgement(
        observation=Observation(captured_s, frame_id=-1, faults={"eyes": "NaN came out"}),
        assessment=Assessment(captured_s, DriverState.UNKNOWN, (UnknownCause.NO_FACE,)),
        alerts=(),
        stage_s={},
    )


def device(**changes):
    made = DeviceReading(
        read_s=14.9,
        temperatures_c={"cpu-thermal": 71.26, "gpu-thermal": 68.0, "cv0-thermal": None},
        trip_c=99.0,
        throttled_by=(),
        over_current=2,
        board_w=11.234,
        cpu_load=0.4567,
        gpu_load=None,
        pressure=0.0123,
    )
    return replace(made, **changes)


def vitals(captured_s=15.0, **changes):
    made = Vitals(
        captured_s=captured_s,
        frames=450,
        drops={"newer": 2, "late": 1, "level": 0, "failed": 0},
        fps=29.97,
        latency_p50_s=0.0123,
        latency_p95_s=0.0256,
        waited_p95_s=0.0034,
        stage_p50_s={"face": 0.001},
        stage_p95_s={"face": 0.002},
        rss_bytes=200_000_000,
        cpu_share=0.0612,
        level=1,
        device=device(),
        sinks={"mqtt": {"events_waiting": 1, "event_ack_p95_s": 0.01234}},
    )
    return replace(made, **changes)


def no_frame_vitals(captured_s=15.0):
    """What is told when no frame was judged in the window."""
    unknown = dict.fromkeys(("latency_p50_s", "latency_p95_s", "waited_p95_s"))
    return vitals(captured_s, fps=0.0, stage_p50_s={}, stage_p95_s={}, **unknown)


def control(captured_s=14.0, level=2, previous=1, held=False):
    return Control(
        captured_s, level, previous, "temperature", "hottest zone 88.0 C; clocks fall at 99 C", held
    )


def health(captured_s=1.0, state=HealthState.DEGRADED, **causes):
    return Health(captured_s, state, causes or {"source_lost": "/dev/video0: no frame"})


def good_health(captured_s=1.0):
    return Health(captured_s, HealthState.OK)


def nonsense(value):
    """Messages with `value` (NaN, infinity) wherever a number can be, and text no encoding likes."""
    bad_eye = Eye(value, value, value)
    bad_way = Direction(value, value, value, value)
    base = judgement()
    seen = replace(
        base.observation,
        captured_s=value,
        face=Face(value, Box(value, value, value, value), value, tracked=False),
        eyes=replace(eyes(0.0), right=bad_eye, left=bad_eye, gaze=bad_way, head=bad_way, captured_s=value),
        fatigue=Fatigue(*[value] * 6),
        distraction=Distraction(*[value] * 7),
    )
    verdict = replace(
        base.assessment,
        captured_s=value,
        calibration=value,
        signals={"x": Signal(value, value)},
        unknown_since_s={UnknownCause.DARK: value},
        state_since_s=value,
        confidence=value,
        zone="\udcff",
        learned={"eyes": value},
        baseline={"eyes.right": value},
        uncertainty={"gaze_deg": value},
        context=Context(Vehicle(value, "\udcff", value, steering_deg=value, faults={"can": "\x00"})),
        age_s=value,
    )
    broken = alert(
        at_s=value, onset_s=value, detected_s=value, evidence={"x": value}, cause="\udcff\x00\u2028"
    )
    return [
        replace(base, observation=seen, assessment=verdict, alerts=(broken,), stage_s={"face": value}),
        vitals(
            value,
            fps=value,
            latency_p50_s=value,
            waited_p95_s=value,
            stage_p50_s={"eyes": value},
            cpu_share=value,
            device=device(temperatures_c={"cpu": value}, trip_c=value, board_w=value, pressure=value),
            sinks={"mqtt": {"events_waiting": value}},
        ),
        health(value, source_lost="\udcff"),
        replace(control(value), cause="\udcff", detail="\x00\u2028"),
    ]
