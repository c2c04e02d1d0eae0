"""A real broker and somebody who listens, for whoever asks."""

from contextlib import closing

import pytest

from tests.e2e.broker import Listener, Mosquitto


@pytest.fixture
def broker(tmp_path):
    made = Mosquitto(tmp_path).start()
    yield made
    made.stop()


@pytest.fixture
def listener(broker):
    with closing(Listener(broker.port)) as made:
        yield made
