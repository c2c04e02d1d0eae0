import numpy as np
import pytest

from dms.simulator.geometry import angles, direction, direction_angles, project, rotation, unproject


@pytest.mark.parametrize("wanted", [(0, 0, 0), (30, 10, 15), (-60, -20, -20), (70, 30, 20), (-5, 35, -10)])
def test_angles_undo_rotation(wanted):
    turn = rotation(*wanted)
    assert angles(turn) == pytest.approx(wanted, abs=1e-3)
    assert np.linalg.det(turn) == pytest.approx(1.0, abs=1e-5)


def test_signs_are_those_of_the_records():
    assert (rotation(30, 0, 0) @ [0, 0, -1])[0] > 0  # nose to the image's right
    assert (rotation(0, 30, 0) @ [0, 0, -1])[1] < 0  # up is less y
    assert (rotation(0, 0, 30) @ [1, 0, 0])[1] > 0  # the eye line falls to the right


def test_direction_round_trip():
    assert direction_angles(direction(-25.0, 12.0)) == pytest.approx((-25.0, 12.0), abs=1e-4)


def test_unproject_undoes_project():
    points = np.array([[3.0, -4.0, 12.0], [-9.0, 2.0, -7.0]], np.float32)
    pixels = np.column_stack([project(points, 100.0), points[:, 2]]).astype(np.float32)
    assert unproject(pixels, 100.0) == pytest.approx(points, abs=1e-4)
