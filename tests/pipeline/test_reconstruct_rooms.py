"""Floors that are found once people are lifted: kept, found again, refused with a reason, forgotten with clips."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.errors import InputError
from models.types import DepthScan
from pipeline.evaluate_rooms import evaluate_rooms
from pipeline.reconstruct_rooms import find_floor
from pipeline.records import ClipRecord, RoomRecord, StoreIndex
from pipeline.runner import cached, load_value
from pipeline.settings import Settings
from pipeline.store import Store

SETTINGS = Settings({})
PROBLEM = "no floor in the depth: occlusion is off; nowhere to stand"


def kept(store: Store, stage: str, value, **inputs) -> str:
    return cached(store, stage, 1, None, inputs, lambda: (value, {}))[1].key


@pytest.fixture
def night(bare_room, drawn_room, standing, tmp_path):
    """A store with one room whose depth is not believed, and two clips: of one who walks, and of one who stands."""
    camera, plate, depth, _ = drawn_room
    store = Store(tmp_path / "store")
    built = bare_room(camera, plate, depth * 1.5, np.full(depth.shape, -1), PROBLEM)
    walk = [(x, y) for x in np.arange(3.0, 5.4, 0.15) for y in (-0.6, 0.0, 0.7)]
    clips = {}
    for name, places in (("walks", walk), ("stands", [(3.0, 0.0), (3.05, 0.0)])):
        ingest = kept(
            store, "ingest", {"name": name}, clip=name, row={"path": f"{name}.mp4"}, video=f"digest of {name}"
        )
        people = kept(store, "people2d", [standing(camera, places)], ingest=ingest)
        clips[name] = ClipRecord(ingest=ingest, people2d=people, room="ward/cam")
    scan = kept(store, "depth", DepthScan(depth * 1.5, np.ones(depth.shape, dtype=bool), 1.0, 0.0, 0.0), name="scan")
    key = kept(store, "room", built, camera="ward/cam", ingest=[clip.ingest for clip in clips.values()])
    return store, RoomRecord(key, "plate", "calibration", scan, {"verdict": PROBLEM}, False), clips


def test_a_floor_is_kept_and_found_again(night, drawn_room):
    store, record, clips = night
    found = find_floor(store, SETTINGS, "ward/cam", record, list(clips.values()))
    assert found.recomputed and found.room != record.room
    value = load_value(store, "room", found.room)
    floor = value.surfaces == 0
    assert (floor & drawn_room[3]).sum() / (floor | drawn_room[3]).sum() > 0.9
    row = found.row
    assert row["walkable_m2"] > 4.0 and row["uses"] == {"floor": True, "occlusion": False, "contact": False}
    assert row["verdict"] == value.verdict == "no floor in the depth: occlusion is off"
    assert row["floor_mask"]["of"] == "people" and row["floor_mask"]["image_share"] == pytest.approx(floor.mean())
    again = find_floor(store, SETTINGS, "ward/cam", record, list(clips.values()))
    assert again == replace(found, recomputed=False)
    # What has a floor is left as it is.
    assert find_floor(store, SETTINGS, "ward/cam", found, list(clips.values())) is found


def test_too_little_to_go_by_is_told_and_remembered(night):
    store, record, clips = night
    told = find_floor(store, SETTINGS, "ward/cam", record, [clips["stands"]])
    assert told.room == record.room and told.row["verdict"] == PROBLEM
    assert told.row["floor_mask"] == {"of": None, "why": told.row["floor_mask"]["why"]}
    assert "m² of floor, 0.3 are needed" in told.row["floor_mask"]["why"]
    assert len(list((store.folder / "floor_mask").iterdir())) == 1
    assert find_floor(store, SETTINGS, "ward/cam", record, [clips["stands"]]) == told


def test_forgetting_a_clip_removes_the_floor_that_it_showed(night):
    from pipeline.forget import forget

    store, record, clips = night
    found = find_floor(store, SETTINGS, "ward/cam", record, list(clips.values()))
    StoreIndex({"ward/cam": found.room}, clips, "footage").write(store)
    removed = forget(store.root, "walks")
    assert removed["artefacts_removed"] == {"ingest": 1, "people2d": 1, "room": 2, "floor_mask": 1}
    assert removed["rooms"] == ["ward/cam"]


def test_rooms_are_measured_against_drawn_ones(night, drawn_room, tmp_path):
    store, record, clips = night
    found = find_floor(store, SETTINGS, "ward/cam", record, list(clips.values()))
    StoreIndex({"ward/cam": found.room, "cam_2": record.room}, clips, "footage").write(store)
    rows, columns = np.nonzero(drawn_room[3])
    left = [[int(columns[rows == row].min()), int(row)] for row in np.unique(rows)[::8]]
    right = [[int(columns[rows == row].max()), int(row)] for row in np.unique(rows)[::-8]]
    cameras = [
        {"room": "ward", "camera": "cam", "floor": left + right},
        {"camera": "cam_2", "floor": left + right},
        {"room": "ward", "camera": "attic", "floor": left + right},
    ]
    truth = tmp_path / "rooms.json"
    truth.write_text(json.dumps({"width": 640, "height": 480, "cameras": cameras}))
    summary = evaluate_rooms(store.root, truth, tmp_path / "out")
    assert summary == json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["floor_iou"]["ward/cam"] == summary["floor_iou_median"] > 0.9
    assert summary["floor_iou"]["cam_2"] is None and summary["floors"] == {"drawn": 2, "found": 1}
    assert summary["not_in_store"] == ["ward/attic"]
    assert {path.name for path in (tmp_path / "out").glob("*.jpg")} == {"ward_cam.jpg", "cam_2.jpg"}
    assert str((tmp_path / "out").resolve()) in json.loads(store.read_text("derived.json") or "[]")
    truth.write_text(json.dumps({"width": 64, "height": 48, "cameras": [{"camera": "nowhere", "floor": left}]}))
    with pytest.raises(InputError, match=r"names none of the store's rooms \(ward/cam, cam_2\)"):
        evaluate_rooms(store.root, truth, tmp_path / "other")
    outside = [[900, 900], [901, 900], [901, 901]]
    cameras = [{"room": "ward", "camera": "cam", "floor": outside}]
    truth.write_text(json.dumps({"width": 640, "height": 480, "cameras": cameras}))
    with pytest.raises(InputError, match="the floor of ward/cam lies outside of 640 x 480 pixels"):
        evaluate_rooms(store.root, truth, tmp_path / "third")
