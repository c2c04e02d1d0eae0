import json

import pytest
from click.testing import CliRunner

from dms.cli.alerts import alerts, rehearse
from dms.records import Phase
from dms.sinks.patterns import PATTERNS, pattern_of


class Told:
    """A sink that fails while it is told of the third alert."""

    name = "told"

    def __init__(self):
        self.phases = []

    def publish(self, message):
        (alert,) = message.alerts
        self.phases.append((alert.id, alert.phase, pattern_of(alert.type, alert.severity)))

    def fault(self):
        return "it broke" if len(self.phases) == 5 else None


def test_every_pattern_is_sounded_and_ended_and_a_passing_fault_is_kept():
    sink, lines, waits = Told(), [], []
    assert rehearse([sink], 2.0, lines.append, waits.append) == {"told": "it broke"}
    begun = [pattern for _, phase, pattern in sink.phases if phase is Phase.START]
    assert begun == sorted(PATTERNS, key=begun.index)
    assert [phase for _, phase, _ in sink.phases] == [Phase.START, Phase.END] * len(PATTERNS)
    assert len(lines) == len(PATTERNS)
    assert waits.count(2.0) == len(PATTERNS)


def invoke(*arguments):
    return CliRunner().invoke(alerts, ["test", "--each-s", "0.05", *arguments])


@pytest.mark.parametrize(("command", "code"), [("/bin/true", 0), ("/bin/false", 1), ("/no/such/command", 1)])
def test_the_exit_code_tells_of_a_fault(command, code):
    result = invoke("--set", f"sinks.hook.command=[{command}]", "--json")
    assert result.exit_code == code, result.output
    told = json.loads(result.stdout)["hook"]
    assert (told["fault"] is None) == (code == 0)


def test_nothing_set_up_is_an_error_that_says_what_to_do():
    result = invoke()
    assert "sinks.sound.enabled" in str(result.exception)
