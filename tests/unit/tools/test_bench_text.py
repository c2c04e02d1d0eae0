import re

import pytest

from dms.errors import InputError
from dms.tools.bench import plot as bench_plot
from dms.tools.bench import text as bench_text
from dms.tools.bench.records import Device
from tests.unit.tools import bench_reports as made


def cells(report, title):
    """Column → cell of each row of the table whose title begins so."""
    (table,) = (t for t in bench_text.tables(report) if t.title.startswith(title))
    return [dict(zip(table.header, row, strict=True)) for row in table.body]


def test_paced_and_unpaced_tell_each_step_with_its_percentiles():
    first = cells(made.usual(), "Paced")[0]
    assert (first["platform"], first["precision"]) == ("ONNX Runtime", "fp32")
    assert first["inference"] == "6.40 / 12.8 / 19.2"
    assert first["total"] == "8.00 / 16.0 / 24.0"
    assert first["others %"] == "3"
    assert cells(made.usual(), "Unpaced")[0]["total"] == "6.40 / 12.8 / 19.2"


def test_costs_show_what_is_known_and_a_dash_for_what_is_not():
    plain, faster, unproved = cells(made.usual(), "What it costs")
    assert plain["load s"] == "0.15"
    assert plain["files MB"] == "4.00"
    assert (plain["faster"], plain["lost"]) == ("–", "+0.04")
    assert faster["faster"] == "2.50 (2.30 to 2.75)"
    assert unproved["lost"] == "–"  # proved of one net only


def test_a_device_that_tells_something_has_a_table_of_it():
    silent, _, powered = cells(made.usual(), "The device")
    assert (powered["board W"], powered["mJ/frame"], powered["GPU %"]) == ("6.00", "200", "40")
    assert {silent["board W"], silent["GPU %"], powered["CPU MHz"]} == {"–"}
    assert not any(t.title.startswith("The device") for t in bench_text.tables(made.report(made.row())))


def test_energy_of_the_processors_has_a_column_of_its_own():
    (told,) = cells(made.report(made.row(device=Device(processor_mj=90.0))), "The device")
    assert (told["processor mJ/frame"], told["mJ/frame"], told["board W"]) == ("90", "–", "–")


def test_percentiles_that_few_frames_cannot_tell_are_left_out():
    figures = made.row().figures
    few = figures.model_copy(update={"paced": figures.paced.model_copy(update={"frames": 19})})
    more = figures.model_copy(update={"paced": figures.paced.model_copy(update={"frames": 20})})
    report = made.report(made.row(figures=few), made.row(figures=more))
    assert [row["total"] for row in cells(report, "Paced")] == ["8.00 / – / –", "8.00 / 16.0 / –"]


def test_where_a_gpu_cuts_pre_processing_is_a_dash_and_the_legend_says_why(tmp_path):
    figures = made.row().figures
    stages = figures.paced.stages.model_copy(update={"pre": None})
    on_gpu = figures.model_copy(update={"paced": figures.paced.model_copy(update={"stages": stages})})
    report = made.report(made.row("trt", figures=on_gpu), made.row())
    cut = cells(report, "Paced")[0]
    assert (cut["pre-processing"], cut["inference"]) == ("–", "6.40 / 12.8 / 19.2")
    assert "Where a GPU cuts, pre-processing (–) is part of inference" in bench_text.text(report)
    bench_plot.draw(report, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_an_emulator_is_called_one():
    report = made.report(made.row("qnn", "fp16", 300.0, emulated=True))
    assert cells(report, "Paced")[0]["platform"] == "Qualcomm QNN (emulator)"


def test_a_frame_column_stands_only_where_there_are_several_sizes():
    assert "frame" not in cells(made.usual(), "Paced")[0]
    both = made.report(made.row(), made.row(image_size="1280x720"))
    assert [row["frame"] for row in cells(both, "Paced")] == ["640x360", "1280x720"]


def test_rows_of_a_platform_that_does_not_run_are_told_once_with_the_reason():
    assert "TensorRT, fp32, trt.int8: no GPU here" in bench_text.text(made.usual())
    assert "* TensorRT, fp32, trt.int8: no GPU here" in bench_text.markdown(made.usual())


def test_a_report_of_refusals_alone_still_reads():
    shown = bench_text.text(made.report(made.refusal()))
    assert "TensorRT, fp32: no GPU here" in shown
    assert "Paced at" not in shown


def test_a_machine_that_was_not_quiet_is_said_to_be_so():
    figures = made.row().figures
    busy = figures.model_copy(update={"unpaced": figures.unpaced.model_copy(update={"others_percent": 7.1})})
    loud = made.report(made.row(), made.row(figures=busy), made.refusal())
    for shown in (bench_text.text, bench_text.markdown):
        assert "Not a quiet machine: 1 row was measured" in shown(loud)
        assert "Not a quiet machine" not in shown(made.usual())


def test_a_page_keeps_its_words_and_gets_new_tables(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("# Speed\n\n<!-- bench -->\nold\n<!-- /bench -->\n\nThe end.\n")
    shown = bench_text.put_into(bench_text.open_page(path), made.usual())
    assert shown.startswith("# Speed\n\n<!-- bench -->\n* 2026-11-21")
    assert shown.endswith("<!-- /bench -->\n\nThe end.\n")
    assert "old" not in shown


def test_a_new_page_can_be_filled_again(tmp_path):
    path = tmp_path / "new.md"
    path.write_text(bench_text.put_into(bench_text.open_page(path), made.usual()))
    assert bench_text.put_into(bench_text.open_page(path), made.usual()) == path.read_text()


def test_markdown_tables_have_as_many_cells_as_columns():
    tables = re.findall(r"(?:^\|.*\|$\n)+", bench_text.markdown(made.usual()), flags=re.MULTILINE)
    assert len(tables) == 5
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_device_tells_its_state_and_a_machine_that_does_not_stays_silent():
    device = made.environment(
        board="Jetson",
        l4t="36.4.3",
        power_mode="15W",
        cpu_clocks_mhz={"cpu0": 1728.0, "cpu1": None},
        gpu_clock_mhz=306.0,
        temperatures_before_c={"tj": 48.0, "cv0": None},
        temperatures_after_c={"tj": 55.5, "cv0": None},
        throttled_by=("gpu-throttle-alert",),
    )
    first, _, state = bench_text.environment_lines(device)
    assert "Jetson, 2 cores, Linux 6.8, Jetson Linux 36.4.3" in first
    assert state == (
        "power mode 15W, processor at 1728 MHz, GPU at 306 MHz, hottest zone 48 °C before, 56 °C after, "
        "clocks held down by gpu-throttle-alert"
    )
    assert len(bench_text.environment_lines(made.environment())) == 2


def test_the_picture_is_drawn_with_a_row_far_slower_than_the_rest(tmp_path):
    slow = made.row("qnn", "cpu.int8", 300.0)
    bench_plot.draw(made.report(*made.usual().rows, slow), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("row", [made.refusal(), made.row("qnn", emulated=True)])
def test_there_is_no_picture_of_what_was_not_measured_or_only_emulated(tmp_path, row):
    with pytest.raises(InputError, match="nothing could be measured"):
        bench_plot.draw(made.report(row), tmp_path / "a.png")
