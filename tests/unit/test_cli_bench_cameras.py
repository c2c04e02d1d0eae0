import json

import pytest
from click.testing import CliRunner

from dms.cli import main


def run(*words: str):
    return CliRunner().invoke(main, ["bench", *words])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cameras", "0"], "write it as 1,4,8,16,20"),
        (["--cameras", "two"], "write it as 1,4,8,16,20"),
        (["--cameras", ""], "write it as 1,4,8,16,20"),
        (["--cameras", "1", "--pipeline"], "leave out --pipeline"),
        (["--cameras", "1", "--plot", "x.png"], "leave out --plot"),
        (["--cameras", "1", "--image-size", "640x360", "--image-size", "1280x720"], "one --image-size"),
        (["--decode"], "--decode: only with --cameras"),
        (["--set", "engines.eyes.threads=2"], "--set: only with --pipeline"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(words, told):
    result = run(*words)
    assert result.exit_code == 2
    assert told in result.output


@pytest.mark.slow
def test_two_cameras_are_measured_and_kept_as_json_and_markdown(tmp_path):
    path, page = tmp_path / "cameras.json", tmp_path / "cameras.md"
    result = run("--cameras", "2,1", "--seconds", "1", "--json", str(path), "--markdown", str(page))
    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert [row["streams"] for row in report["rows"]] == [1, 2]
    assert all(row["fps"] > 0 for row in report["rows"])
    text = page.read_text()
    assert text.startswith("<!-- cameras -->")
    assert text.count("| 2 | ") == 1
