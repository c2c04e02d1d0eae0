import numpy as np
import pytest

from dms.errors import InputError
from dms.simulator.mesh import FACE_POINTS, LEFT_EYE, RIGHT_EYE
from dms.simulator.portrait import Portrait, load_portrait


def test_the_shipped_portrait_is_whole():
    portrait = load_portrait()
    assert len(portrait.vertices) > FACE_POINTS
    assert portrait.triangles.max() < len(portrait.vertices)
    assert portrait.uv.shape == (len(portrait.vertices), 2)
    assert portrait.body.shape == (*portrait.photo.shape[:2], 4)
    right, left = (portrait.vertices[e.iris, 0] for e in (RIGHT_EYE, LEFT_EYE))
    assert right < left


def test_bytes_round_trip(tmp_path):
    portrait = load_portrait()
    path = tmp_path / "p.npz"
    path.write_bytes(portrait.to_bytes())
    again = load_portrait(path)
    assert np.array_equal(again.vertices, portrait.vertices)
    assert np.array_equal(again.triangles, portrait.triangles)
    assert np.abs(again.photo.astype(int) - portrait.photo).mean() < 3


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_portrait(tmp_path, content):
    path = tmp_path / "p.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no portrait file"):
        load_portrait(path)


def test_a_truncated_portrait():
    with pytest.raises(InputError, match="no portrait file"):
        Portrait.from_bytes(load_portrait().to_bytes()[:-2000], "cut.npz")


def test_an_archive_without_the_parts(tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, photo=np.zeros(3))
    with pytest.raises(InputError, match="no portrait file"):
        load_portrait(path)


def test_a_missing_portrait(tmp_path):
    with pytest.raises(InputError, match="cannot read the portrait"):
        load_portrait(tmp_path / "none.npz")
