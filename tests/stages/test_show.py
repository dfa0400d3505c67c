import numpy as np
import pytest

from models import codec
from models.errors import InputError
from models.types import DepthScan
from pipeline.store import Store
from stages.show import run, run_store


def test_an_artefact_in_words_and_a_picture(tmp_path):
    store = Store(tmp_path)
    depth = np.tile(np.linspace(1.0, 5.0, 64), (48, 1))
    with store.write("depth", "abc", {"figures": {"residual": 0.0312345, "names": ["x"]}}) as folder:
        codec.save(DepthScan(depth, depth > 0, 1.0, 0.0, 0.03), folder, "value")
    lines, picture = run(tmp_path / "depth" / "abc")
    assert lines == ["depth abc", "  residual: 0.03123", '  names: ["x"]']
    assert picture is not None and picture.shape == (48, 64, 3)
    assert picture[0, 0].sum() > picture[0, -1].sum()  # near is bright


def test_a_rejected_item_says_why(tmp_path):
    with Store(tmp_path).write("ingest", "k", {"rejected": ["too short", "1 frame"]}):
        pass
    assert run(tmp_path / "ingest" / "k") == (["ingest k", "set aside: too short: 1 frame"], None)


def test_a_store_lists_its_rooms_and_clips():
    index = {
        "rooms": {"r": "k"},
        "clips": {"a": {"room": "r", "people3d": "p"}, "b": {"room": "r"}},
        "footage": "videos",
    }
    lines = run_store("s3://bucket/store/", index)
    assert lines[:2] == ["store of videos", "  room r: s3://bucket/store/room/k"]
    assert lines[2:] == ["  clip a (r): s3://bucket/store/people3d/p", "  clip b (r): not lifted"]


def test_what_is_no_artefact(tmp_path):
    with pytest.raises(InputError, match="is no artefact; give STORE/<stage>/<key>, or the store itself"):
        run(tmp_path)
