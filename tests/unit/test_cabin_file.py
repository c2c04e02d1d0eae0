import pytest
import yaml

from dms.config.cabin_file import cabin_text, read_cabin
from dms.errors import ConfigError
from dms.resources import configs_folder

CABINS = configs_folder() / "cabins"


def zone(yaw_deg, pitch_deg):
    return {"yaw_deg": yaw_deg, "pitch_deg": pitch_deg, "source": "tape measure"}


def cabin(tmp_path, **zones):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"name": "mine", "zones": zones}))
    return str(path)


def refused(geometry):
    with pytest.raises(ConfigError) as refusal:
        read_cabin(geometry, CABINS)
    return str(refusal.value)


def test_a_file_of_ones_own_is_read(tmp_path):
    mine = read_cabin(cabin(tmp_path, lap=zone([-20, 20], [-80, -40])), CABINS)
    assert mine.zones["lap"].yaw_deg == (-20.0, 20.0)


def test_an_unknown_cabin_names_the_nearest():
    assert "did you mean saloon?" in refused("salon")
    assert "saloon, truck, van" in refused("/nowhere/at/all")


def test_an_unknown_zone_names_the_nearest(tmp_path):
    text = refused(cabin(tmp_path, driver_miror=zone([-50, -30], [-20, 0])))
    assert "mine.yaml: zones" in text
    assert "'driver_miror'; did you mean driver_mirror?" in text
    assert "learned while driving" in refused(cabin(tmp_path, road=zone([-50, -30], [-20, 0])))


def test_overlapping_zones_are_refused_by_name(tmp_path):
    text = refused(cabin(tmp_path, cluster=zone([-15, 15], [-40, -16]), lap=zone([-20, 20], [-80, -39])))
    assert "cluster and lap overlap" in text
    touching = cabin(tmp_path, cluster=zone([-15, 15], [-40, -16]), lap=zone([-20, 20], [-80, -40]))
    assert set(read_cabin(touching, CABINS).zones) == {"cluster", "lap"}


@pytest.mark.parametrize(
    ("yaw_deg", "pitch_deg", "told"),
    [
        ([10, -10], [-60, -40], "rising"),
        ([-10, 10], [-95, -40], "-90"),
        ([-10, 10], [-10, 10], "lies over the road"),
        ([float("nan"), 10], [-60, -40], "finite"),
        (["left", 10], [-60, -40], "number"),
    ],
)
def test_a_box_that_is_none_is_refused(tmp_path, yaw_deg, pitch_deg, told):
    text = refused(cabin(tmp_path, lap=zone(yaw_deg, pitch_deg)))
    assert "zones.lap" in text
    assert told in text


@pytest.mark.parametrize(
    ("name", "yaw_deg", "pitch_deg", "told"),
    [
        ("cluster", [1, 90], [-80, 80], "zones.cluster: it lies over the road"),
        ("driver_mirror", [-120, -1], [-20, 10], "zones.driver_mirror: it lies over the road"),
        ("inner_mirror", [18, 42], [8, 28], "zones.inner_mirror: it lies over the road"),
        ("cluster", [26.6, 54.6], [-5.1, 16.9], "zone cluster must lie below the road"),
        ("lap", [26.6, 54.6], [-5.1, 16.9], "zone lap must lie below the road"),
        ("cluster", [10, 40], [-36, -16], "zone cluster must lie within 25 degrees to each side"),
    ],
)
def test_a_zone_where_it_cannot_be_is_refused(tmp_path, name, yaw_deg, pitch_deg, told):
    assert told in refused(cabin(tmp_path, **{name: zone(yaw_deg, pitch_deg)}))


@pytest.mark.parametrize("text", ["- a list", "zones: [", "", "name: x\nzones: {}\ncolour: red\n"])
def test_what_is_no_cabin_is_refused(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert "mine.yaml" in refused(str(path))


@pytest.mark.parametrize("name", ["saloon", "van", "truck"])
def test_a_cabin_written_and_read_again_is_the_same(tmp_path, name):
    shipped = read_cabin(name, CABINS)
    path = tmp_path / "copy.yaml"
    path.write_text(cabin_text(shipped))
    assert read_cabin(str(path), CABINS) == shipped


def test_van_and_truck_have_no_inner_mirror():
    assert "inner_mirror" in read_cabin("saloon", CABINS).zones
    assert not any("inner_mirror" in read_cabin(name, CABINS).zones for name in ("van", "truck"))


def test_mirrored_twice_is_the_same():
    saloon = read_cabin("saloon", CABINS)
    assert {name: zone.mirrored().mirrored() for name, zone in saloon.zones.items()} == saloon.zones
