import numpy as np
import pytest

from models.errors import InputError
from models.footage.action_labels import frame_actions, read_mapping, read_segments
from models.types import ACTIONS

MAPPING = {"fall": "fall", "stand": "standing", "walk": "walk"}


def test_events_cut_a_whole_clip_fall_into_before_fall_and_fallen(tmp_path):
    (tmp_path / "index.csv").write_text("path,label,start_s,end_s\na.mp4,fall,0,7\nb.mp4,walk,0,2\n")
    (tmp_path / "events.csv").write_text("path,fall_onset_s,at_rest_s\na.mp4,2.0,3.0\n")
    segments = read_segments(tmp_path / "index.csv", MAPPING, tmp_path / "events.csv")
    names = [ACTIONS[i] for i in frame_actions(segments["a.mp4"], np.array([0.5, 1.9, 2.5, 3.5, 6.0]))]
    assert names == ["other", "other", "fall", "fallen", "fallen"]
    assert frame_actions(segments["b.mp4"], np.array([1.0, 3.0])).tolist() == [ACTIONS.index("walk"), -1]


def test_a_fall_wins_over_what_overlaps_it(tmp_path):
    (tmp_path / "x.csv").write_text("path,label,start,end\na.mp4,fall,1,3\na.mp4,stand,0,2\n")
    parts = read_segments(tmp_path / "x.csv", MAPPING)["a.mp4"]
    assert [ACTIONS[i] for i in frame_actions(parts, np.array([0.5, 1.5]))] == ["standing", "fall"]


def test_bad_tables(tmp_path):
    (tmp_path / "x.csv").write_text("path,label,start,end\na.mp4,dance,1,3\n")
    with pytest.raises(InputError, match="line 2: label 'dance' is not mapped"):
        read_segments(tmp_path / "x.csv", MAPPING)
    (tmp_path / "x.csv").write_text("path,label,start,end\na.mp4,fall,soon,3\n")
    with pytest.raises(InputError, match="line 2 has no usable path, label, start, end"):
        read_segments(tmp_path / "x.csv", MAPPING)
    (tmp_path / "m.yaml").write_text("actions: {a: dancing}")
    with pytest.raises(InputError, match="maps 'a' to 'dancing', which is no action"):
        read_mapping(tmp_path / "m.yaml")


@pytest.mark.parametrize("name", ["omnifall", "gmdcsa_upfall"])
def test_shipped_mappings_are_read(name):
    from pathlib import Path

    mapping = read_mapping(Path(__file__).parents[3] / "configs" / "labels" / f"{name}.yaml")
    assert mapping["fall"] == "fall"
