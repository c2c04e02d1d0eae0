"""The pipeline's benchmark as a reader sees it."""

from dms.tools.bench_pipeline import plot as bench_pipeline_plot
from dms.tools.bench_pipeline.text import markdown, tables, text
from tests.unit.tools import bench_pipeline_reports as made


def test_the_text_tells_frames_stages_ratios_streams_and_verdicts():
    shown = text(made.report())
    for part in (
        "A frame through the whole pipeline, 3 runs",
        "Stages at 640x360",
        "Ours over the peer's, run by run",
        "One stream of 640x360 at 30 frames a second",
        "met: frames a second at 640x360, times the peer's: 5, asked at least 4",
        "peer: MediaPipe 9.9.9",
        "eyes: 1.1.0 cpu.int8 ort",
        "to decode one takes 0.40 ms",
    ):
        assert part in shown
    assert "Not a quiet machine" not in shown


def test_runs_that_differ_show_their_range():
    frames, *_ = tables(made.report(ours_ms=(1.0, 2.0, 4.0)))
    ours = frames.body[0]
    assert ours[:4] == ["640x360", "dms", "unpaced", "2.00 (1.00 to 4.00)"]
    assert ours[frames.header.index("in engines")] == "1.50 (0.75 to 3.00)"


def test_what_is_unknown_of_the_peer_is_a_dash():
    frames, *_ = tables(made.report())
    peer = next(row for row in frames.body if row[1] == "peer")
    assert peer[frames.header.index("in engines")] == "–"


def test_without_a_peer_nothing_is_said_of_one():
    shown = text(made.report(peer_ms=None))
    assert "peer" not in shown
    assert "% of one core: 5, asked at most 6" in shown


def test_a_clip_too_short_for_a_stream_leaves_its_table_out():
    report = made.report(peer_ms=None)
    runs = tuple(run.model_copy(update={"stream": None}) for run in report.runs)
    shown = text(report.model_copy(update={"runs": runs}))
    assert "One stream" not in shown
    assert "asked at most" not in shown


def test_a_cut_clip_and_its_configuration_are_told():
    report = made.report(configured=("--set", "engines.eyes.threads=2"))
    cut = report.model_copy(update={"clip": report.clip.model_copy(update={"cut": True})})
    assert "demo, the first 90.0 s: 2700 frames" in text(cut)
    assert "configured by --set engines.eyes.threads=2" in text(cut)


def test_a_page_has_the_same_as_tables():
    page = markdown(made.report())
    assert "| 640x360 | dms | unpaced | 1.00 |" in page
    assert "\n* met: frames a second" in page


def test_a_picture_is_drawn_with_and_without_a_peer(tmp_path):
    for name, report in (("both", made.report()), ("alone", made.report(peer_ms=None))):
        path = tmp_path / f"{name}.png"
        bench_pipeline_plot.draw(report, path)
        assert path.read_bytes().startswith(b"\x89PNG")
