import io
import json
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from dms.errors import InputError
from dms.recording.bundle import CHECKPOINT, MANIFEST, MOMENTS, open_bundle, save, to_line
from dms.recording.checkpoint import checkpoint
from dms.recording.cut import copy, find
from dms.recording.replay import replay
from dms.testing import Story
from tests.unit.recording import recorded


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "good.dms"
    recorded.save_story(path)
    return path


def parts_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rebuilt(path, parts, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def judged_again(path):
    with open_bundle(path) as bundle:
        return replay(bundle)


def test_a_bundle_is_its_owners_alone(good):
    assert good.stat().st_mode & 0o777 == 0o600


def test_a_bundle_judged_again_is_identical(good):
    result = judged_again(good)
    assert result.difference is None
    assert result.frames > 1300
    assert result.alerts >= 6


@pytest.mark.parametrize("cut", [1, 700, 1100, 1250])
def test_so_is_one_that_begins_anywhere_in_a_drive(tmp_path, cut):
    path = tmp_path / "b.dms"
    recorded.save_story(path, cut=cut)
    assert judged_again(path).difference is None


def test_the_same_content_makes_the_same_file(tmp_path):
    for name in ("one", "two"):
        recorded.save_story(tmp_path / name, Story(fps=10).attentive(5))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def lines_of(good):
    with open_bundle(good) as bundle:
        return bundle.manifest, bundle.checkpoint, [line.written for line in bundle.lines()]


def save_lines(path, manifest, state, lines):
    save(
        path,
        {k: v for k, v in manifest.items() if k != "sha256"},
        state,
        (json.dumps(x) + "\n" for x in lines),
    )
    return path


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda a: a.update(confidence=0.5), "assessment.confidence"),
        (lambda a: a["signals"]["closure_s"].update(value=-0.0), "assessment.signals.closure_s.value"),
        (lambda a: a["signals"]["yawn_s"].update(onset_s=1.0), "assessment.signals.yawn_s.onset_s"),
        (lambda a: a.pop("zone"), "assessment.zone"),
    ],
)
def test_the_first_difference_is_named(good, tmp_path, change, field):
    manifest, state, lines = lines_of(good)
    change(lines[900]["assessment"])
    change(lines[905]["assessment"])
    result = judged_again(save_lines(tmp_path / "b.dms", manifest, state, lines))
    assert result.frames == 900
    assert (result.difference.frame_id, result.difference.field) == (900, field)
    assert "frame 900 at 160.000 s" in str(result.difference)


def test_a_difference_in_an_alert_is_named(good, tmp_path):
    manifest, state, lines = lines_of(good)
    index = next(i for i, line in enumerate(lines) if line["alerts"])
    lines[index]["alerts"][0]["evidence"]["off_road_s"] += 1e-12
    result = judged_again(save_lines(tmp_path / "b.dms", manifest, state, lines))
    assert result.difference.field == "alerts[0].evidence.off_road_s"


def test_an_observation_that_was_changed_is_judged_differently(good, tmp_path):
    manifest, state, lines = lines_of(good)
    lines[900]["observation"]["eyes"]["right"]["openness"] = 0.3
    assert judged_again(save_lines(tmp_path / "b.dms", manifest, state, lines)).difference is not None


def test_a_state_that_no_dms_was_ever_in_is_told_by_line(good, tmp_path):
    manifest, state, lines = lines_of(good)
    assessor = state["things"][state["assessor"]["@"]]
    assessor[2]["_last_s"] = "yesterday"
    with pytest.raises(InputError, match=r"moments\.jsonl line 1: cannot be judged from the state"):
        judged_again(save_lines(tmp_path / "b.dms", manifest, state, lines))


def test_truncated_anywhere_it_is_refused(good, tmp_path):
    content = good.read_bytes()
    for size in range(0, len(content), max(1, len(content) // 40)):
        path = tmp_path / "cut.dms"
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"cut\.dms"):
            judged_again(path)


def test_a_flipped_byte_is_never_taken_for_a_difference(good, tmp_path):
    content = good.read_bytes()
    for place in range(30, len(content), len(content) // 60):
        path = tmp_path / "flipped.dms"
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            result = judged_again(path)
        except InputError:
            continue
        assert result.difference is None, f"byte {place}: one that nothing reads"


def changed(good, **parts):
    return {**parts_of(good), **parts}


HOSTILE = {
    "no archive": lambda good: b"GIF89a",
    "another archive": lambda good: {"picture.png": b"x"},
    "a part too many": lambda good: {**parts_of(good), "../../etc/cron.d/x": b"* * * * *"},
    "a part of another name": lambda good: {
        **{k: v for k, v in parts_of(good).items() if k != CHECKPOINT}, "/etc/passwd": b"root"
    },
    "a later version": lambda good: changed(
        good, **{MANIFEST: parts_of(good)[MANIFEST].replace(b"dms.bundle/1", b"dms.bundle/2")}
    ),
    "a manifest that is a list": lambda good: changed(good, **{MANIFEST: b"[]"}),
    "a manifest that is NaN": lambda good: changed(good, **{MANIFEST: b'{"schema": NaN}'}),
    "a deep manifest": lambda good: changed(good, **{MANIFEST: b"[" * 100_000}),
    "a changed state": lambda good: changed(good, **{CHECKPOINT: parts_of(good)[CHECKPOINT] + b" "}),
    "a line less": lambda good: changed(
        good, **{MOMENTS: parts_of(good)[MOMENTS].partition(b"\n")[2]}
    ),
    "a bomb of one line": lambda good: changed(good, **{MOMENTS: b"0" * (40 << 20)}),
    "a bomb of a manifest": lambda good: changed(good, **{MANIFEST: b" " * (80 << 20)}),
    "a bomb of a state": lambda good: changed(good, **{CHECKPOINT: b" " * (80 << 20)}),
    "a line of another kind": lambda good: changed(good, **{MOMENTS: b'{"told": 3}\n'}),
    "no text": lambda good: changed(good, **{MOMENTS: b"\xff\xfe\x00\n"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_honest_bundle_is_refused(good, tmp_path, kind):
    made = HOSTILE[kind](good)
    path = tmp_path / "x.dms"
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        rebuilt(path, made)
    with pytest.raises(InputError, match=r"x\.dms"):
        judged_again(path)
    assert sorted(tmp_path.iterdir()) == [path], "nothing is unpacked"


def test_an_encrypted_or_oddly_packed_archive_is_refused(good, tmp_path):
    rebuilt(tmp_path / "lzma.dms", parts_of(good), zipfile.ZIP_LZMA)
    assert judged_again(tmp_path / "lzma.dms").difference is None  # odd, but whole
    content = bytearray(good.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        offsets = [entry.header_offset for entry in archive.infolist()]
    for offset in offsets:
        content[offset + 6] |= 1  # the flag of encryption, here and in the directory
    start = content.rfind(b"PK\x01\x02", 0, len(content))
    while start >= 0:
        content[start + 8] |= 1
        start = content.rfind(b"PK\x01\x02", 0, start)
    (tmp_path / "locked.dms").write_bytes(bytes(content))
    with pytest.raises(InputError, match="encrypted"):
        judged_again(tmp_path / "locked.dms")


def test_a_missing_bundle_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No such file"), open_bundle(tmp_path / "none.dms"):
        pass


def test_one_alert_is_cut_out_of_a_whole_run_and_judged_again(good, tmp_path):
    out = tmp_path / "cut.dms"
    copy(*find(good, "story-2"), out, landmarks=True)
    with open_bundle(out) as bundle:
        assert 200 < bundle.manifest["lines"] < 600
        assert "story-2" in bundle.manifest["alerts"]
        assert bundle.manifest["software"] == "dms 1.2.3"
    assert judged_again(out).difference is None


def test_landmarks_can_be_left_out(good, tmp_path):
    out = tmp_path / "bare.dms"
    copy(good, None, out, landmarks=False)
    with open_bundle(out) as bundle:
        assert bundle.manifest["landmarks"] is False
        eyes = [line.written["observation"]["eyes"] for line in bundle.lines()]
        assert {e["landmarks"]["base64"] for e in eyes if e} == {None}
    assert judged_again(out).difference is None


def test_landmarks_that_were_no_numbers_still_are_none_where_they_are_left_out(tmp_path):
    """Else eyes that were not believed would be, and the judgement would differ."""
    observations = [
        replace(seen, eyes=replace(seen.eyes, landmarks=np.full((60, 2), math.nan)))
        if 40 <= number < 60 and seen.eyes
        else seen
        for number, seen in enumerate(Story(fps=10).attentive(8).observations())
    ]
    judges = recorded.new_judges()
    state = checkpoint(judges)
    moments = recorded.moments_of(observations, judges)
    bare, cut = tmp_path / "bare.dms", tmp_path / "cut.dms"
    save(bare, recorded.MANIFEST, state, (to_line(moment, landmarks=False) for moment in moments))
    whole = tmp_path / "whole.dms"
    save(whole, recorded.MANIFEST, state, map(to_line, moments))
    copy(whole, None, cut, landmarks=False)
    for path in (whole, bare, cut):
        assert judged_again(path).difference is None
    for path in (bare, cut):
        with open_bundle(path) as bundle:
            points = [line.content.observation.eyes.landmarks for line in bundle.lines()]
        assert not np.any(np.concatenate(points)[np.isfinite(np.concatenate(points))])


def test_what_cannot_be_cut_is_told(good, tmp_path):
    with pytest.raises(InputError, match="holds no alert story-99"):
        copy(good, "story-99", tmp_path / "x.dms", landmarks=True)
    with pytest.raises(InputError, match="the bundle itself"):
        copy(good, None, good, landmarks=True)
    (tmp_path / "frames.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="JSON lines are rounded"):
        find(tmp_path / "frames.jsonl", None)
    with pytest.raises(InputError, match="no bundle of any alert"):
        find(tmp_path, None)
