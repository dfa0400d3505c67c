"""The table of real falls: read whole, refused where columns are missing."""

import pytest

from models.compare_falls.real_falls import Fall, read_falls
from models.errors import InputError


def test_table_of_falls(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(
        "path,at_rest_s,landing_support,final_posture,body_fully_in_view\na.mp4,1.5,floor,supine,yes\nb.mp4,,,,\n"
    )
    assert read_falls(path) == {"a.mp4": Fall(1.5, "floor", "supine", "yes")}
    path.write_text("path,at_rest_s\na.mp4,1\n")
    with pytest.raises(InputError, match="has no column 'landing_support'; give at least the columns path,at_rest_s,"):
        read_falls(path)
    columns = "path,at_rest_s,landing_support,final_posture,body_fully_in_view,fall_onset_s"
    path.write_text(f"{columns}\na.mp4,1.5,floor,supine,yes,nan\n", encoding="utf-8-sig")
    with pytest.raises(InputError, match="line 2: fall_onset_s is 'nan', expected a number"):
        read_falls(path)
    with pytest.raises(InputError, match="none.csv: cannot be opened"):
        read_falls(tmp_path / "none.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_table_as_excel_writes_it(tmp_path, encoding):
    table = (
        "path;at_rest_s;landing_support;final_posture;body_fully_in_view;fall_onset_s\r\n"
        "Küche.mp4;2.5;floor;supine;yes;1.0\r\n;;;;;\r\nb.mp4\r\n"
    )
    (tmp_path / "events.csv").write_bytes(table.encode(encoding))
    assert read_falls(tmp_path / "events.csv") == {"Küche.mp4": Fall(2.5, "floor", "supine", "yes", 1.0)}


@pytest.mark.parametrize(("rest", "onset"), [("nan", "1"), ("soon", "1"), ("2", "3"), ("2", "-1"), ("2", "x")])
def test_times_that_are_none_or_reversed_are_refused_by_line(tmp_path, rest, onset):
    head = "path,at_rest_s,landing_support,final_posture,body_fully_in_view,fall_onset_s\n"
    (tmp_path / "events.csv").write_text(f"{head}a.mp4,2,floor,supine,yes,1\nb.mp4,{rest},floor,supine,yes,{onset}\n")
    with pytest.raises(InputError, match=r"events\.csv: line 3: "):
        read_falls(tmp_path / "events.csv")
