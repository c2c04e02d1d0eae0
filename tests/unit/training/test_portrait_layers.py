import numpy as np

from dms.simulator.mesh import CHIN, FACE_POINTS, OVAL
from dms.simulator.portrait import load_portrait
from dms.training.portrait_layers import body_image, person_mask, without_background


def shipped():
    portrait = load_portrait()
    return portrait.photo, portrait.vertices[:FACE_POINTS]


def test_the_mask_holds_the_face_and_not_the_corners():
    photo, mesh = shipped()
    noisy = photo.copy()
    mask = person_mask(noisy, mesh)
    x, y = mesh[list(OVAL), :2].mean(0).astype(int)
    assert mask[y, x]
    assert not mask[:5].any()


def test_background_takes_the_nearest_colour_of_the_person():
    photo = np.zeros((20, 20, 3), np.uint8)
    photo[:, 10:] = (10, 200, 30)
    person = np.zeros((20, 20), bool)
    person[:, 10:] = True
    assert (without_background(photo, person) == (10, 200, 30)).all()


def test_a_photograph_cut_at_the_chin_gets_a_drawn_body():
    photo, mesh = shipped()
    inside = np.ones(photo.shape[:2], bool)
    inside[int(mesh[CHIN, 1]) :] = False
    body = body_image(photo, inside, inside, mesh)
    x, y = int(mesh[CHIN, 0]), int(mesh[CHIN, 1] + 0.8 * np.ptp(mesh[:, 0]))
    assert body[y, x, 3] == 255
    assert body[5, 5, 3] == 0
