import pytest

from dms.errors import InputError
from dms.sinks.lines import read_lines


def read(tmp_path, content):
    (tmp_path / "x.jsonl").write_bytes(content)
    return [(where.removeprefix(str(tmp_path)), told) for where, told in read_lines(tmp_path / "x.jsonl")]


def test_each_document_comes_with_its_place(tmp_path):
    found = read(tmp_path, b'{"a": 1}\n\n{"b": 2}\n')
    assert found == [("/x.jsonl line 1", {"a": 1}), ("/x.jsonl line 3", {"b": 2})]


@pytest.mark.parametrize(
    ("last", "count"), [(b'{"b": 2}', 2), (b'{"b": ', 1), (b"{", 1), (b'{"b": "\xc3', 1), (b"", 1)]
)
def test_a_last_line_counts_when_it_is_whole(tmp_path, last, count):
    assert len(read(tmp_path, b'{"a": 1}\n' + last)) == count


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": 1}\n{"b": \n{"c": 3}\n', "line 2 is no JSON"),
        (b"[1]", "line 1 is no JSON object"),
        (b"null\n", "line 1 is no JSON object"),
        (b"\xff\xff\n", "line 1 is no JSON"),
        (b"no json at all", "line 1 is no JSON"),
        (b"[" * 100_000 + b"\n", "line 1 is no JSON"),
    ],
)
def test_what_is_no_line_of_dms_is_refused(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl cannot be read: No such file"):
        list(read_lines(tmp_path / "none.jsonl"))
