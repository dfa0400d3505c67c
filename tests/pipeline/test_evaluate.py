"""Labels find their clips in a store, and those that find none are said."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import codec
from models.errors import InputError
from models.footage.action_labels import ClipLabels, read_segments
from models.types import ACTIONS, Annotations, Footage, Person2D
from pipeline.evaluate import LabelTable, evaluate, real_pose_clips
from pipeline.records import ClipRecord, StoreIndex
from pipeline.settings import Settings
from pipeline.store import Store

NAMES = {name: name for name in ACTIONS}


@pytest.fixture
def store(tmp_path) -> Store:
    """Two clips of somebody; nothing labels them."""
    store, clips = Store(tmp_path / "store"), {}
    for name in ("a", "b"):
        times = np.arange(20) / 10.0
        footage = Footage(name, f"room/{name}.mp4", "", "", "k", times, 64, 48, "0" * 64)
        person = Person2D(
            "person_0", "person", np.ones(20, bool), np.ones((20, 4)), np.ones((20, 17, 2)), np.ones((20, 17))
        )
        value = {"footage": footage, "key_frames": np.zeros(1, int), "background": np.zeros((4, 4), np.uint8)}
        for stage, content in (("ingest", value | {"annotations": None}), ("people2d", [person])):
            with store.write(stage, name, {}) as folder:
                codec.save(content, folder, "value")
        clips[name] = ClipRecord(ingest=name, people2d=name, room="k")
    StoreIndex({}, clips, str(tmp_path / "footage")).write(store)
    return store


def table(folder: Path, *lines: str) -> Path:
    (folder / "labels.csv").write_text("\n".join(["path,label,start,end", *lines]))
    return folder / "labels.csv"


def test_a_table_of_class_ids_without_suffixes_labels_the_clips(store, tmp_path):
    path = table(tmp_path, "room/a,1,0,1", "room/gone,4,0,1")
    labels = ClipLabels(path, read_segments(path, NAMES))
    clips = real_pose_clips(store.root, labels)
    assert {clip.clip for clip in clips} == {"a/person_0"} and labels.counts() == {"matched": 1, "unmatched": 1}


@pytest.mark.parametrize("sidecar", [False, True])
def test_labels_that_match_nothing_end_the_verb(store, tmp_path, sidecar):
    if sidecar:  # the clips are labelled all the same
        made = codec.load(tmp_path / "store/ingest/a", "value")
        people = codec.load(tmp_path / "store/people2d/a", "value")
        made["annotations"] = Annotations(tuple(people), np.zeros((1, 20), int))
        with store.write("ingest", "labelled", {}) as folder:
            codec.save(made, folder, "value")
        record = replace(ClipRecord(ingest="labelled", people2d="a", room="k"))
        StoreIndex({}, {"a": record}, str(tmp_path / "footage")).write(store)
    labels = LabelTable(table(tmp_path, "kitchen/x.mp4,fall,0,1", "kitchen/y.mp4,walk,0,1"))
    with pytest.raises(InputError, match=r"labels 2 clip\(s\), of which 2 are in no store, such as kitchen/x.mp4"):
        evaluate(store.root, tmp_path / "nowhere", tmp_path / "out", Settings({}), labels=labels)


def test_labels_that_match_in_part_are_counted_and_said(store, tmp_path, caplog):
    labels = LabelTable(table(tmp_path, "room/a.mp4,fall,0,1", "kitchen/y.mp4,walk,0,1"))
    with caplog.at_level(logging.WARNING), pytest.raises((InputError, FileNotFoundError)):
        evaluate(store.root, tmp_path / "nowhere", tmp_path / "out", Settings({}), labels=labels)  # there is no dataset
    assert "labels 2 clip(s), of which 1 are in no store, such as kitchen/y.mp4" in caplog.text
