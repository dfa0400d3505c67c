"""Pseudonyms stay the same from night to night, and what is shared of a summary or a config holds no text of theirs."""

import json

import numpy as np
import pytest

from models import codec
from models.types import Footage
from pipeline.pseudonyms import FILE, Pseudonyms, number_of, shared_config, without_folders
from pipeline.records import ClipRecord, StoreIndex
from pipeline.store import Store


def fill(store: Store, cameras: dict[str, str]) -> None:
    """An index of cameras (name -> room of footage.csv), each with a clip `film of <camera>`."""
    clips = {}
    for camera, room in cameras.items():
        footage = Footage("", "a.mp4", "Sonnenhof", room, camera, np.arange(3.0), 64, 48, "")
        key = store.key("ingest", 1, None, {"camera": camera})
        if store.find("ingest", key) is None:
            with store.write("ingest", key, {"inputs": {}}) as folder:
                codec.save({"footage": footage}, folder, "value")
        clips[f"film of {camera}"] = ClipRecord(ingest=key, room=camera)
    StoreIndex(dict.fromkeys(cameras, "key"), clips, "footage").write(store)


def test_cameras_of_a_room_share_its_name_and_names_are_kept(tmp_path):
    store = Store(tmp_path)
    fill(store, {"Meier/b": "Meier", "Meier/c": "Meier", "Schulze": ""})
    first = Pseudonyms(store)
    assert first.given["camera"] == {
        "Meier/b": "room_1/camera_1",
        "Meier/c": "room_1/camera_2",
        "Schulze": "room_2/camera_3",
    }
    assert first.source("film of Schulze") == "source_3"
    first.write()
    fill(store, {"Adam": "Adam", "Meier/a": "Meier", "Meier/c": "Meier"})
    second = Pseudonyms(store)
    assert [second.camera(name) for name in ("Meier/c", "Adam", "Meier/a", "Schulze")] == [
        "room_1/camera_2",
        "room_3/camera_4",
        "room_1/camera_5",
        "room_2/camera_3",
    ]
    assert second.source("film of Adam") == "source_4"


def test_no_number_is_given_twice(tmp_path):
    """Not even after a name was forgotten."""
    store = Store(tmp_path)
    fill(store, {"Meier": "Meier", "Schulze": "Schulze"})
    Pseudonyms(store).write()
    content = json.loads(store.read_text(FILE) or "")
    assert "Sonnenhof" not in str(content)  # of a room no more than a digest
    del content["camera"]["Schulze"], content["source"]["film of Schulze"]
    store.write_text(FILE, json.dumps(content))
    fill(store, {"Meier": "Meier", "Huber": "Huber"})
    again = Pseudonyms(store)
    assert again.camera("Huber") == "room_3/camera_3" and again.source("film of Huber") == "source_3"


def test_a_summary_is_shared_as_numbers(tmp_path):
    store = Store(tmp_path)
    fill(store, {"Meier": "Meier"})
    summary = {
        "rooms": [
            {
                "room": "Meier",
                "camera": "Meier",
                "verdict": "ok",
                "calibration": "file",
                "camera_height_m": 2.0,
                "camera_height_by_clip_m": {"film of Meier": 2.0},
                "remark": "Meier",
                "interval": [1.9, 2.1],
            }
        ],
        "clips": [
            {
                "clip": "film of Meier",
                "room": "Meier",
                "people": 2,
                "pose_backend": "tflite:/home/Meier/a.tflite:ab",
                "stature_m": [1.6],
                "truth": {"joints_world_mm": {"Meier": 1.0}, "depth": 0.1},
                "sidecar": "Meier",
            },
            {"clip": "lost", "room": None, "people": 0, "stature_m": []},
        ],
        "rejected": [{"item": "film of Huber", "reason": "Huber"}, {"item": "Meier", "reason": "no floor"}],
        "notes": ["Meier moved"],
        "passed_over": {".Meier": 1},
        "seed": 0,
        "total_seconds": 3.5,
    }
    shared = Pseudonyms(store).reconstruction(summary)
    assert "Meier" not in str(shared) and "Huber" not in str(shared)
    assert shared["rooms"] == [
        {
            "camera_height_m": 2.0,
            "interval": [1.9, 2.1],
            "verdict": "ok",
            "calibration": "file",
            "room": "room_1/camera_1",
            "camera": "room_1/camera_1",
        }
    ]
    clip = shared["clips"][0]
    assert (clip["clip"], clip["people"], clip["pose_backend"]) == ("source_1", 2, "tflite:a.tflite:ab")
    assert clip["truth"] == {"depth": 0.1} and shared["clips"][1]["room"] is None
    assert shared["rejected"] == [{"item": "source_3"}, {"item": "room_1/camera_1"}]
    assert shared["total_seconds"] == 3.5


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("tflite:/home/Meier/net.tflite:ab12", "tflite:net.tflite:ab12"),
        ("~/Meier/net", "net"),
        (r"C:\Meier\net", "net"),
        ("sidecar", "sidecar"),
        ("transformers:usyd-community/vitpose-base", "transformers:usyd-community/vitpose-base"),
    ],
)
def test_paths_end_with_their_last_name(text, short):
    assert without_folders(text) == short


def test_a_config_is_shared_without_folders():
    values = {"run": {"body": "/home/Meier/SMPL.npz", "workers": 2}, "serve": {"footage": "Meier"}, "generate": {}}
    assert shared_config(values, ("run", "generate", "label")) == {"run": {"body": "SMPL.npz", "workers": 2}}


def test_a_pseudonym_ends_with_its_number():
    assert number_of("room_2/camera_13") == 13
