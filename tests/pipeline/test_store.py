import json
import os
import subprocess
import sys

import numpy as np
import pytest
from pydantic import BaseModel

from pipeline import codec
from pipeline.errors import InputError
from pipeline.store import Store, check_replaceable, digest, file_digest, replaced
from pipeline.types import Footage


class Config(BaseModel):
    value: int = 1


def test_keys_change_with_everything_and_with_nothing_else(tmp_path):
    store = Store(tmp_path)
    base = store.key("depth", 1, Config(), {"video": "a"})
    assert base == Store(tmp_path / "elsewhere").key("depth", 1, Config(), {"video": "a"})
    others = {
        store.key("floor", 1, Config(), {"video": "a"}),
        store.key("depth", 2, Config(), {"video": "a"}),
        store.key("depth", 1, Config(value=2), {"video": "a"}),
        store.key("depth", 1, Config(), {"video": "b"}),
    }
    assert len(others | {base}) == 5


def test_an_artefact_is_found_again_with_its_meta(tmp_path):
    store = Store(tmp_path)
    with store.write("depth", "k", {"seed": 3}) as folder:
        (folder / "a.txt").write_text("hello")
    found = store.find("depth", "k")
    assert found is not None and found.meta["seed"] == 3
    assert (found.folder / "a.txt").read_text() == "hello"
    assert store.find("depth", "other") is None


def test_an_error_inside_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.write("depth", "k", {}) as folder:
        (folder / "a.txt").write_text("half")
        raise RuntimeError
    assert store.find("depth", "k") is None
    assert list((tmp_path / ".partial").iterdir()) == []


@pytest.mark.parametrize("damage", ["change", "delete", "meta"])
def test_a_damaged_artefact_is_set_aside(tmp_path, damage):
    store = Store(tmp_path)
    with store.write("depth", "k", {}) as folder:
        (folder / "a.txt").write_text("hello")
    path = tmp_path / "depth" / "k"
    if damage == "change":
        (path / "a.txt").write_text("hellO")
    elif damage == "delete":
        (path / "a.txt").unlink()
    else:
        (path / "meta.json").write_text("{")
    assert store.find("depth", "k") is None
    assert not path.exists()


def test_a_killed_writer_leaves_nothing_half_written_and_its_leftovers_go(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from pipeline.store import Store\n"
        "with Store(Path(sys.argv[1])).write('depth', 'k', {}) as folder:\n"
        "    (folder / 'a.txt').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert len(list((tmp_path / ".partial").iterdir())) == 1
    store = Store(tmp_path)
    assert list((tmp_path / ".partial").iterdir()) == []
    assert store.find("depth", "k") is None


def test_the_first_of_two_writers_wins(tmp_path):
    store = Store(tmp_path)
    with store.write("depth", "k", {}) as first:
        (first / "a.txt").write_text("first")
        with store.write("depth", "k", {}) as second:
            (second / "a.txt").write_text("second")
    found = store.find("depth", "k")
    assert found is not None and (found.folder / "a.txt").read_text() == "second"


def test_digests_follow_content_not_order(tmp_path):
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.png").write_bytes(b"1")
    before = file_digest(tmp_path / "x")
    (tmp_path / "x" / "1.png").write_bytes(b"2")
    assert file_digest(tmp_path / "x") != before


def test_codec_round_trip_and_same_bytes(tmp_path):
    footage = Footage("a", "a.mp4", "s", "r", "c", np.array([0.0, 0.1]), 64, 48, "00")
    value = {"footage": footage, 3: (np.arange(4, dtype=np.uint8), [1.5, None, "x"])}
    codec.save(value, tmp_path, "one")
    codec.save(value, tmp_path, "two")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    back = codec.load(tmp_path, "one")
    np.testing.assert_array_equal(back["footage"].timestamps_s, footage.timestamps_s)
    assert back["footage"].clip == "a" and back[3][1] == [1.5, None, "x"] and back[3][0].dtype == np.uint8
    with pytest.raises(TypeError, match="cannot store a set"):
        codec.save({1, 2}, tmp_path, "bad")
    assert json.loads((tmp_path / "one.json").read_text())["#dict"][0][0] == "footage"


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    out = tmp_path / "new" / "out"
    with replaced(out) as folder:
        (folder / "mark").write_text("1")
    with pytest.raises(RuntimeError), replaced(out) as folder:
        (folder / "mark").write_text("half")
        raise RuntimeError
    assert (out / "mark").read_text() == "1"
    with replaced(out) as folder:
        assert list(folder.iterdir()) == []  # neither the old content nor what was left half written
        (folder / "other").write_text("2")
    assert [file.name for file in out.iterdir()] == ["other"] and [file.name for file in out.parent.iterdir()] == [
        "out"
    ]


def test_somebody_elses_folder_is_not_replaced(tmp_path):
    check_replaceable(tmp_path / "nowhere", "mark")
    check_replaceable(tmp_path, "mark")  # empty
    (tmp_path / "holiday.mp4").touch()
    with pytest.raises(
        InputError, match="is there already and holds no mark; name a new folder, or remove it yourself"
    ):
        check_replaceable(tmp_path, "mark")
    (tmp_path / "mark").touch()
    check_replaceable(tmp_path, "mark")
