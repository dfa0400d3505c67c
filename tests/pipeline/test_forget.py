"""What was derived from a clip goes, wherever it lies, and what was not stays."""

import json
import os
import shutil
import time
import uuid
import zipfile
from pathlib import Path

import fsspec
import pytest

from models.errors import InputError
from pipeline.derived import DERIVED, FORGOTTEN, note_derived, note_derived_of
from pipeline.forget import _tells, forget
from pipeline.output_folder import used_store
from pipeline.store import Store

ARCHIVE = Path(__file__).parents[1] / "data" / "store_of_version_0_1.zip"
CLIP, ROOM, FILE = "home_a__room_01__clip_01", "home_a/room_01/cam_1", "home_a/room_01/clip_01.mp4"
STAGES = {"ingest", "cameras", "people2d", "plate", "calibrate", "depth", "room", "people3d", "clip"}


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A real store of one clip and one room; beside them, artefacts of another clip that nothing ties to it."""
    monkeypatch.setenv("CARECLIPS_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    store = Store(tmp_path / "store")
    inputs = {"video": "1" * 64, "clip": "another_clip", "row": {"path": "another.mp4"}, "sidecar": None}
    for stage, key, value in (("ingest", "a" * 32, inputs), ("people2d", "b" * 32, {"ingest": "a" * 32})):
        with store.write(stage, key, {"inputs": value}) as folder:
            (folder / "value.json").write_text("{}")
    summary = json.loads(store.read_text("summary.json") or "")
    summary["skipped"] = [{"item": name, "kind": "input", "reason": "odd"} for name in (CLIP, "another_clip")]
    store.write_text("summary.json", json.dumps(summary))
    store.write_text("tracebacks.txt", f"lifting people: {CLIP}: what")
    (tmp_path / "cache" / "logs").mkdir(parents=True)
    (tmp_path / "cache" / "logs" / "one.log").write_text(f"INFO {CLIP}")
    (tmp_path / "cache" / "logs" / "other.log").write_text("INFO another_clip")
    return store


def dataset(store, folder, *keys):
    (folder / "clips").mkdir(parents=True)
    (folder / "clips" / "clip_00000.mp4").write_bytes(b"film")
    (folder / "dataset.json").write_text(json.dumps({"clips": keys}))
    note_derived(store, folder)


def everything(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("item", [CLIP, ROOM, FILE])
def test_no_byte_of_a_clip_is_left_and_all_of_another_is(store, tmp_path, item):
    (made,) = [path.name for path in (tmp_path / "store" / "clip").iterdir()]
    frames = (tmp_path / "store" / "clip" / made / "clip.mp4").read_bytes()
    keypoints = next((tmp_path / "store" / "people2d").glob("*/value.npz")).read_bytes()
    keys = {path.name for path in (tmp_path / "store").glob("*/*") if len(path.name) == 32} - {"a" * 32, "b" * 32}
    dataset(store, tmp_path / "with_it", made)
    dataset(store, tmp_path / "without_it", "c" * 32)
    shutil.rmtree(tmp_path / "footage")
    result = forget(tmp_path / "store", item)
    assert result["forgotten"] == [CLIP] and result["rooms"] == [ROOM] and result["found"] == []
    assert result["artefacts_removed"] == dict.fromkeys(STAGES, 1)
    assert result["datasets_removed"] == [str(tmp_path / "with_it")] and result["logs_removed"] == 1
    assert not (tmp_path / "with_it").exists() and (tmp_path / "without_it" / "clips" / "clip_00000.mp4").exists()
    left = everything(tmp_path)
    assert {name for name in left if len(Path(name).parts) == 4 and name.startswith("store/")} == {
        f"store/{stage}/{key}/{name}"
        for stage, key in (("ingest", "a" * 32), ("people2d", "b" * 32))
        for name in ("meta.json", "value.json")
    }
    for secret in (CLIP.encode(), ROOM.encode(), FILE.encode(), frames, keypoints, *(key.encode() for key in keys)):
        assert [name for name, content in left.items() if secret in content or secret in name.encode()] == []
    summary = json.loads(store.read_text("summary.json") or "")
    assert [one["item"] for one in summary["skipped"]] == ["another_clip"]
    assert summary["clips"] == summary["rooms"] == [] and store.read_text("tracebacks.txt") is None
    assert len(json.loads(store.read_text(FORGOTTEN) or "")) == 1
    assert (tmp_path / "cache" / "logs" / "other.log").exists()


def test_of_a_whole_store_nothing_is_left(store, tmp_path):
    made = next((tmp_path / "store" / "clip").iterdir()).name
    dataset(store, tmp_path / "made", made)
    (tmp_path / "model").mkdir()
    note_derived(store, tmp_path / "model")
    result = forget(tmp_path / "store")
    assert result["forgotten"] == ["another_clip", CLIP] and not (tmp_path / "made").exists()
    assert result["made_from_it_and_left"] == [str(tmp_path / "model")]
    assert everything(tmp_path / "store") == {}


def test_what_was_read_long_ago_is_forgotten(store, tmp_path):
    for path in (tmp_path / "store" / "ingest").glob("*/meta.json"):
        meta = json.loads(path.read_text())
        if meta["inputs"]["clip"] == CLIP:
            meta.pop("created_s", None)  # as an older version wrote it
            path.write_text(json.dumps(meta))
            os.utime(path, (time.time() - 40 * 86400,) * 2)
    assert forget(tmp_path / "store", older_than_days=90)["forgotten"] == []
    assert forget(tmp_path / "store", older_than_days=30)["forgotten"] == [CLIP]
    assert (tmp_path / "store" / "ingest" / ("a" * 32)).exists()


def test_a_clip_that_was_read_again_is_not_kept_for_longer(store, tmp_path):
    inputs = {"video": "1" * 64, "clip": "another_clip", "row": {}, "sidecar": None}
    for key, days in (("0" * 32, 1), ("c" * 32, 50), ("d" * 32, 1)):
        with store.write("ingest", key, {"inputs": inputs, "created_s": time.time() - days * 86400}) as folder:
            (folder / "value.json").write_text("{}")
    assert "another_clip" in forget(tmp_path / "store", older_than_days=30)["forgotten"]
    assert not list((tmp_path / "store" / "ingest").glob("[acd0]" + "?" * 31))


def test_the_same_film_under_another_name_goes_too(store, tmp_path):
    for path in (tmp_path / "store" / "ingest").glob("*/meta.json"):
        meta = json.loads(path.read_text())
        if meta["inputs"]["clip"] == CLIP:
            meta["inputs"]["video"] = "1" * 64
            path.write_text(json.dumps(meta))
    assert forget(tmp_path / "store", CLIP)["forgotten"] == sorted([CLIP, "another_clip"])
    assert not list((tmp_path / "store" / "ingest").iterdir())


def test_what_a_killed_run_left_goes_and_what_is_not_there_is_named(store, tmp_path):
    (made,) = [path.name for path in (tmp_path / "store" / "clip").iterdir()]
    dataset(store, tmp_path / "with_it", made)
    note_derived(store, tmp_path / "not_mounted")
    for name in (".with_it.partial", ".with_it.old", ".not_mounted.partial"):
        (tmp_path / name / "clips").mkdir(parents=True)
    result = forget(tmp_path / "store", CLIP)
    assert not list(tmp_path.glob(".*")) and result["not_there_now"] == [str(tmp_path / "not_mounted")]
    assert json.loads(store.read_text(DERIVED) or "") == [str(tmp_path / "not_mounted")]


def test_a_bucket_and_its_cache_are_emptied_too(store, tmp_path):
    url = f"memory://{uuid.uuid4().hex}/store"
    files, base = fsspec.url_to_fs(url)
    files.put(str(tmp_path / "store"), base, recursive=True)
    there = Store(url)
    for artefact in there.artefacts():
        assert there.find(artefact.stage, artefact.key) is not None
    assert any(there.folder.rglob("*.npz"))
    result = forget(url, CLIP)
    assert sum(result["artefacts_removed"].values()) == len(STAGES)
    left = {name: files.cat_file(name) for name in files.find(base)}
    assert [name for name, content in left.items() if CLIP.encode() in content] == []
    assert sorted(path.name for path in there.folder.rglob("*") if path.is_dir() and len(path.name) == 32) == [
        "a" * 32,
        "b" * 32,
    ]


@pytest.mark.parametrize("name", ["Küche_Frau_Müller", "x", os.fsdecode(b"latin\xfc_name")])
def test_a_name_is_found_in_whatever_spelling_a_file_has_it(name):
    for content in (json.dumps([name]).encode(), b'"' + os.fsencode(name) + b'"'):
        assert _tells(content, {name}) and not _tells(content, {"another_name", "y"})


def test_nothing_is_forgotten_while_clips_are_made_of_it(store, tmp_path):
    before = everything(tmp_path / "store")
    with used_store(tmp_path / "store", "generate"), pytest.raises(InputError, match="`careclips generate`"):
        forget(tmp_path / "store", CLIP)
    assert everything(tmp_path / "store") == before


def test_after_a_night_that_read_nothing_a_room_is_still_forgotten_by_its_name(store, tmp_path):
    store.write_text("index.json", json.dumps({"rooms": {}, "clips": {}, "footage": "f"}))
    assert forget(tmp_path / "store", ROOM)["forgotten"] == [CLIP]
    store.write_text("summary.json", json.dumps({"skipped": [{"item": "odd_clip", "kind": "input", "reason": "r"}]}))
    assert forget(tmp_path / "store", "odd_clip")["forgotten"] == ["odd_clip"]
    assert "odd_clip" not in (store.read_text("summary.json") or "")


def test_what_was_exported_is_named(store, tmp_path):
    motion = next((tmp_path / "store" / "people3d").iterdir())
    (tmp_path / "motion.bvh").write_text("HIERARCHY")
    note_derived_of(str(motion), tmp_path / "motion.bvh")
    note_derived_of(str(tmp_path / "motion.bvh"), tmp_path / "other.bvh")
    assert forget(tmp_path / "store", CLIP)["made_from_it_and_left"] == [str(tmp_path / "motion.bvh")]


def test_what_is_not_there_is_named(store, tmp_path):
    with pytest.raises(InputError, match=f"has neither clip nor room 'nobody'; name one of its rooms \\({ROOM}\\)"):
        forget(tmp_path / "store", "nobody")
    with pytest.raises(InputError, match="is no store of rebuilt rooms"):
        forget(tmp_path / "empty", "nobody")
    assert store.read_text(DERIVED) is None
