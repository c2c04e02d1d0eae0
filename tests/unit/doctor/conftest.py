"""Machines for the doctor to look at."""

import pytest

from dms.doctor.machine import Machine
from tests.unit.doctor.trees import answers, orin, systemctl


@pytest.fixture(params=[6, 7], ids=["jetpack6", "jetpack7"])
def jetpack(request):
    """Each JetPack in turn."""
    return request.param


@pytest.fixture
def device(tmp_path, jetpack):
    """An Orin with each JetPack, where all is well."""
    told = answers(systemctl=systemctl(), id="dms video\n", timedatectl="yes\n")
    return Machine(orin(tmp_path, jetpack), told)


@pytest.fixture
def pc(tmp_path):
    """A computer without a GPU, a sensor, systemd or any command."""
    return Machine(tmp_path, answers())
