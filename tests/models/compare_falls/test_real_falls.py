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
    with pytest.raises(InputError, match="has no column landing_support, final_posture, body_fully_in_view"):
        read_falls(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_falls(tmp_path / "none.csv")
