from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.footage.action_labels import ClipLabels, frame_actions, read_mapping, read_segments
from models.types import ACTIONS

MAPPING = {"fall": "fall", "stand": "standing", "walk": "walk"}


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "x.csv", encoding: str = "utf-8") -> Path:
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return write


def test_events_cut_a_whole_clip_fall_into_before_fall_and_fallen(table):
    index = table("path,label,start_s,end_s\na.mp4,fall,0,7\nb.mp4,walk,0,2\n", "index.csv")
    events = table("path,fall_onset_s,at_rest_s\na.mp4,2.0,3.0\n", "events.csv")
    segments = read_segments(index, MAPPING, events)
    names = [ACTIONS[i] for i in frame_actions(segments["a.mp4"], np.array([0.5, 1.9, 2.5, 3.5, 6.0]))]
    assert names == ["other", "other", "fall", "fallen", "fallen"]
    assert frame_actions(segments["b.mp4"], np.array([1.0, 3.0])).tolist() == [ACTIONS.index("walk"), -1]


def test_a_fall_wins_over_what_overlaps_it(table):
    parts = read_segments(table("path,label,start,end\na.mp4,fall,1,3\na.mp4,stand,0,2\n"), MAPPING)["a.mp4"]
    assert [ACTIONS[i] for i in frame_actions(parts, np.array([0.5, 1.5]))] == ["standing", "fall"]


def test_class_ids_are_places_in_the_list_of_actions(table):
    """OmniFall's own table: class ids, integer subject and camera, paths without suffix."""
    lines = [f"Subject_1/ADL/01,{number},{number},{number + 1},1,1,GMDCSA24" for number in range(16)]
    segments = read_segments(table("\n".join(["path,label,start,end,subject,cam,dataset", *lines])), MAPPING)
    assert [part[0] for part in segments["Subject_1/ADL/01"]] == list(ACTIONS)
    floats = read_segments(table("path,label,start,end\na,1.0,0,1\n"), MAPPING)
    assert floats["a"] == [("fall", 0.0, 1.0)]
    assert read_segments(table("path,label,start,end\na,4,0,1\n"), {"4": "walk"})["a"][0][0] == "walk"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_tables_as_excel_writes_them(table, encoding):
    text = "path;label;start;end;who\r\nKüche/a.mp4;fall;1;3;Jörg\r\n;;;;\r\n"
    assert read_segments(table(text, encoding=encoding), MAPPING) == {"Küche/a.mp4": [("fall", 1.0, 3.0)]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("path,label,start,end\na.mp4,dance,1,3\n", "line 2: label 'dance' is not mapped"),
        ("path,label,start,end\na.mp4,16,1,3\n", "line 2: label 16 is no class id, expected 0 to 15"),
        ("path,label,start,end\na.mp4,-1,1,3\n", "line 2: label '-1' is not mapped"),
        ("path,label,start,end\na.mp4,fall,soon,3\n", "line 2: start is 'soon', expected a number"),
        ("path,label,start,end\na.mp4,fall,0,nan\n", "line 2: end is 'nan', expected a number"),
        ("path,label,start,end\na.mp4,fall,0,1\na.mp4,fall,2\n", "line 3: end is empty; fill in end"),
        ("path,label,start,end\na.mp4,fall,2,1\n", "line 2: end is 1, before start 2"),
        ("path,label,begin,end\na.mp4,fall,2,1\n", "has no column 'start'; give at least the columns path,label,start"),
        ("path,label,start,end\n", "has no line"),
        ("label,start,end\nfall,0,1\n", "has no column 'path'"),
    ],
)
def test_lines_that_cannot_be_used_are_named(table, text, problem):
    with pytest.raises(InputError, match=problem):
        read_segments(table(text), MAPPING)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a.mp4,,3", "line 2: fall_onset_s is empty"),
        ("a.mp4,1", "line 2: at_rest_s is empty"),
        ("a.mp4,nan,3", "line 2: fall_onset_s is 'nan', expected a number"),
        ("a.mp4,4,3", "line 2: at_rest_s is 3, before fall_onset_s 4"),
    ],
)
def test_events_without_a_time_are_named(table, line, problem):
    labels = table("path,label,start,end\na.mp4,fall,0,5\n")
    with pytest.raises(InputError, match=f"events.csv: {problem}"):
        read_segments(labels, MAPPING, table(f"path,fall_onset_s,at_rest_s\n{line}\n", "events.csv"))


def test_a_table_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="typo.csv: cannot be opened"):
        read_segments(tmp_path / "typo.csv", MAPPING)


def test_clips_are_found_with_or_without_their_suffix(tmp_path):
    tables, footage = tmp_path / "tables", tmp_path / "footage"
    paths = ["../footage/a.mp4", "room/b", "room\\c.mp4", "room/d", "gone/e"]
    segments = {path: [("fall", 0.0, float(number))] for number, path in enumerate(paths)}
    labels = ClipLabels(tables / "x.csv", segments)
    ends = [labels.of(footage, path) for path in ("a.mp4", "room/b.MOV", "room/c.mp4", "room/d", "room/f.mp4")]
    assert [one[0][2] if one else None for one in ends] == [0.0, 1.0, 2.0, 3.0, None]
    assert labels.counts() == {"matched": 4, "unmatched": 1}
    assert str(labels.unmatched()).startswith(
        f"{tables / 'x.csv'}: labels 5 clip(s), of which 1 are in no store, such as gone/e; write paths from"
    )


def test_bad_mappings(table):
    with pytest.raises(InputError, match="maps 'a' to 'dancing', which is no action"):
        read_mapping(table("actions: {a: dancing}", "m.yaml"))
    for text in ("[1, 2]", "actions: 3", ""):
        with pytest.raises(InputError, match="m.yaml: has no 'actions'; write 'actions:' with lines"):
            read_mapping(table(text, "m.yaml"))


@pytest.mark.parametrize("name", ["omnifall", "gmdcsa_upfall"])
def test_shipped_mappings_are_read(name):
    mapping = read_mapping(Path(__file__).parents[3] / "configs" / "labels" / f"{name}.yaml")
    assert mapping["fall"] == "fall"
