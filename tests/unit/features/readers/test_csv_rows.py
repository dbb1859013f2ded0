from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.exceptions import DataError
from features.readers.csv_rows import read_csv_rows
from features.readers.raw_table import FILE, ROW


def zstd(content: bytes) -> bytes:
    """A frame of zstd with one raw block (RFC 8878)."""
    size, block = len(content).to_bytes(1, "little"), (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x20" + size + block + content


def read(tmp_path: Path, content: bytes) -> tuple[list[tuple[object, ...]], dict[int, str]]:
    """(rows with their line last, line → reason of the rejected)"""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    rows, rejected = read_csv_rows(path, "events")
    assert rows[FILE].unique().to_list() in ([], ["rows.csv"])
    return rows.drop(FILE).rows(), dict(rejected.select("line", "reason").iter_rows())


def test_every_kind_of_broken_row_is_rejected_with_its_line_and_the_rows_around_it_are_kept(
    tmp_path: Path,
) -> None:
    rows, rejected = read(
        tmp_path,
        b"\xef\xbb\xbfa,b,c\r\n"
        b"1,x,y\r\n"
        b"\r\n"
        b"few,fields\r\n"
        b"too,many,fields,here\r\n"
        b'2,"over\r\n\r\nthree ""lines""",z\r\n'
        b'never,"closed,quote\r\n'
        b"3,x,y\r\n"
        b"bad,\xff\xfe,bytes\r\n"
        b'stray,q"uo"te,1\r\n'
        b'4,x,"y',
    )
    assert rows == [("1", "x", "y", 2), ("2", 'over\n\nthree "lines"', "z", 6), ("3", "x", "y", 10)]
    assert rejected == {
        4: "too few fields",
        5: "too many fields",
        9: "a quote is never closed",
        11: "not UTF-8 text",
        12: "a quote stands inside a field",
        13: "a quote is never closed",
    }


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "bom.csv"
    path.write_bytes(b"\xef\xbb\xbfuser_id,item_id\nann,tea\n")
    rows, _ = read_csv_rows(path, "events")
    assert rows.columns == ["user_id", "item_id", FILE, ROW]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_told_from_the_header(tmp_path: Path, separator: str) -> None:
    content = f"a{separator}b\n1,5{separator}x\n".encode()
    assert read(tmp_path, content) == ([("1,5", "x", 2)], {})


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"rows\.csv: is empty.*header"):
        read(tmp_path, content)


def test_columns_without_a_name_or_with_the_same_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b",a,b,a,\n1,2,3,4,5\n")
    rows, rejected = read_csv_rows(path, "events")
    assert rows.columns == ["Unnamed: 0", "a (column 2)", "b", "a (column 4)", "Unnamed: 4", FILE, ROW]
    assert rejected.is_empty()


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_a_first_line_that_names_the_separator(tmp_path: Path, first: str) -> None:
    content = f"\ufeff{first}\na,x;b\n1,5;2,5\n".encode()
    assert read(tmp_path, content) == ([("1,5", "2,5", 3)], {})


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "gb18030", "utf-8", "UTF8"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_other_encodings(tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(pack("kunde;stück\r\nJörg;1\r\n".encode(encoding)))
    rows, rejected = read_csv_rows(path, "events", encoding=encoding)
    assert rows.drop(FILE).rows() == [("Jörg", "1", 2)]
    assert rows.columns[:2] == ["kunde", "stück"]
    assert rejected.is_empty()


def test_a_mark_of_utf_8_counts_for_more_than_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("\ufeffkunde\nJörg\n".encode())
    assert read_csv_rows(path, "events", encoding="cp1252")[0]["kunde"].to_list() == ["Jörg"]


def test_a_line_that_is_not_in_the_encoding_is_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a,b\n1,2\n\x81,3\n4,\xfc\n")
    rows, rejected = read_csv_rows(path, "events", encoding="cp1252")
    assert rows.drop(FILE).rows() == [("1", "2", 2), ("4", "ü", 4)]
    assert rejected.select("line", "reason", "raw").rows() == [(3, "not cp1252 text", "\ufffd,3")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("first", [b"", b"\n", b"sep=;\n"])
def test_a_header_in_another_encoding_is_an_error_that_shows_no_row(
    tmp_path: Path, pack: Callable[[bytes], bytes], first: bytes
) -> None:
    content = first + "sold_at;kunde;stück\n2026-03-01;ann;1\n".encode("cp1252")
    with pytest.raises(DataError, match=r"header \(line \d\) is not UTF-8 .*data\.encoding.*iconv") as error:
        read(tmp_path, pack(content))
    assert "ann" not in str(error.value)


def test_text_packed_with_zstd_is_read_and_in_another_encoding_an_error(tmp_path: Path) -> None:
    """The frames are written by hand: raw blocks, as `zstd` writes what cannot be made smaller."""
    assert read(tmp_path, zstd("a,b\n1,ü\n".encode())) == ([("1", "ü", 2)], {})
    with pytest.raises(DataError, match=r"packed with zstd.*not UTF-8.*zstd -d.*data\.encoding"):
        read(tmp_path, zstd("a,b\n1,ü\n".encode("cp1252")))


@pytest.mark.parametrize("cut", [5, 20])
def test_a_packed_file_that_is_cut_off(tmp_path: Path, cut: int) -> None:
    with pytest.raises(DataError, match=r"rows\.csv: cannot be read"):
        read(tmp_path, gzip.compress(b"a,b\n1,2\n" * 3)[:-cut])


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("a,b\n1,2\n".encode("utf-16"), r"data\.encoding=utf-16, .*iconv"),
        (gzip.compress("a,b\n1,2\n".encode("utf-16"), mtime=0), r"data\.encoding=utf-16, "),
        ("a,b\n1,2\n".encode("utf-16-le"), r"data\.encoding=utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), r"data\.encoding=utf-16-be"),
        (b"PAR1xxxx", r"data\.reader=parquet"),
        (b"PK\x03\x04xxxx", "unzip"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, remedy: str) -> None:
    with pytest.raises(DataError, match=remedy):
        read(tmp_path, content)


@given(
    st.lists(
        st.lists(st.text('ab",;|\n é', min_size=1, max_size=6), min_size=3, max_size=3),
        max_size=8,
    )
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    read_back, rejected = read_csv_rows(path, "events")
    assert read_back.drop(FILE, ROW).rows() == [tuple(row) for row in rows]
    assert rejected.is_empty()


@given(
    st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r", b" ", b"\xff", "é".encode()]), max_size=60).map(
        b"".join
    )
)
def test_no_line_is_lost_whatever_the_bytes(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(b"a,b\n" + body)
    rows, rejected = read_csv_rows(path, "events")
    lines = body.split(b"\n")
    blank = sum(1 for line in lines if not line.decode("utf-8", "replace").removesuffix("\r").strip())
    inside = pl.concat(
        [
            rows.drop(FILE, ROW),
            pl.DataFrame({"a": [None], "b": [None]}, schema={"a": pl.String, "b": pl.String}),
        ]
    )
    newlines = int(
        inside.select(pl.all().str.count_matches("\n", literal=True).fill_null(0).sum())
        .sum_horizontal()
        .item()
    )
    assert len(lines) - blank <= len(rows) + len(rejected) + newlines
    assert len(rows) + len(rejected) <= len(lines)
