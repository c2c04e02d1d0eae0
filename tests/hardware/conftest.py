from contextlib import closing

import pytest

from dms.backends.cuda.runtime import Device, Stream


@pytest.fixture(scope="module")
def device():
    return Device()


@pytest.fixture
def stream(device):
    with closing(Stream(device)) as stream:
        yield stream


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")
