import pytest

from models.errors import InputError
from models.text_files import read_json, read_table, read_text, read_yaml

TABLE = "path,room\ncam1/c.mp4,Küche\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_a_table_reads_the_same_in_every_usual_encoding(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes(TABLE.replace("\n", "\r\n").encode(encoding))
    (row,) = read_table(tmp_path / "t.csv", ["path", "room"])
    assert (row.line, row.cells) == (2, {"path": "cam1/c.mp4", "room": "Küche"})


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_blank_rows_are_left_out_and_short_ones_have_empty_cells(tmp_path, separator):
    lines = ["camera,path", "k,c.mp4", ",,,", "", "k", ' m ,"d, e.mp4"']
    (tmp_path / "t.csv").write_text("\n".join(lines).replace(",", separator) + "\n")
    rows = read_table(tmp_path / "t.csv", ["path"])
    assert [row.line for row in rows] == [2, 5, 6]
    assert rows[1].cells == {"camera": "k", "path": ""}
    assert rows[2].cells == {"camera": "m", "path": f"d{separator} e.mp4"}
    with pytest.raises(InputError, match=r"t\.csv: line 5: path is empty; fill in path, or remove the line"):
        rows[1].text("path")


@pytest.mark.parametrize("before", ["sep=;\n", "\n", "\n\nsep=;\n"])
def test_what_stands_before_the_header_is_no_header(tmp_path, before):
    (tmp_path / "t.csv").write_text(f"{before}path;room\na.mp4;k\n")
    (row,) = read_table(tmp_path / "t.csv", ["path", "room"])
    assert row.line == 2 + before.count("\n") and row.cells == {"path": "a.mp4", "room": "k"}


@pytest.mark.parametrize("value", ["nan", "inf", "ten", "1e999"])
def test_a_number_is_finite_or_refused_by_line(tmp_path, value):
    (tmp_path / "t.csv").write_text(f"file,timestamp_s\na.jpg,0.5\nb.jpg,{value}\n")
    first, second = read_table(tmp_path / "t.csv", ["timestamp_s"])
    assert first.number("timestamp_s") == 0.5
    with pytest.raises(InputError, match=f"line 3: timestamp_s is '{value}', expected a number"):
        second.number("timestamp_s")


def test_what_is_no_table_is_refused_by_name(tmp_path):
    (tmp_path / "t.csv").write_text("path,room\n")
    with pytest.raises(InputError, match="has no column 'camera'; give at least the columns path,camera"):
        read_table(tmp_path / "t.csv", ["path", "camera"])
    (tmp_path / "t.csv").write_text('path,camera\n"open,x\n')
    with pytest.raises(InputError, match="is no readable table"):
        read_table(tmp_path / "t.csv", ["path"])
    (tmp_path / "t.csv").write_bytes(b"path\0,camera")
    with pytest.raises(InputError, match="holds NUL bytes"):
        read_table(tmp_path / "t.csv", ["path"])
    with pytest.raises(InputError, match=r"none\.csv: cannot be opened \(No such file"):
        read_text(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_bytes("path".encode("utf-16")[:-1])
    with pytest.raises(InputError, match="is no whole utf-16 text"):
        read_text(tmp_path / "t.csv")


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": ', "[" * 100_000, ""])
def test_json_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json: is not readable JSON \(") as caught:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["a: [1", "? [1, 2]\n: {b: 1}\n? {c: 1}\n: 2", "a: 2026-13-45", "a: 1\nb: 2\na: 3", "[" * 20_000]
)
def test_yaml_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=r"a\.yaml: is not readable YAML \(") as caught:
        read_yaml(tmp_path / "a.yaml")
    assert "\n" not in str(caught.value)


def test_a_key_that_stands_twice_is_named_with_its_line(tmp_path):
    (tmp_path / "a.yaml").write_text("run:\n  workers: 1\n  workers: 2\n")
    with pytest.raises(InputError, match=r"\(line 3: the key 'workers' stands twice\)"):
        read_yaml(tmp_path / "a.yaml")


def test_json_and_yaml_read_what_windows_writes(tmp_path):
    (tmp_path / "a.json").write_bytes('{"room": "Küche"}'.encode("utf-8-sig"))
    (tmp_path / "a.yaml").write_bytes("room: Küche\r\n".encode("utf-16"))
    assert read_json(tmp_path / "a.json") == read_yaml(tmp_path / "a.yaml") == {"room": "Küche"}


def test_a_row_with_more_cells_than_columns_is_refused_for_its_values_stand_under_the_wrong_names(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\na.mp4,walk,,\nfalls, kitchen.mp4,fall\n")
    with pytest.raises(
        InputError, match=r"t.csv: line 3: it has more cells than the header's 2; put what holds commas"
    ):
        read_table(tmp_path / "t.csv", ("path",))
