"""No frame enters a plate unless people were looked for in it; what cannot be vouched for gives no room."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError, Rejected
from models.footage.video_writer import write_video
from models.people2d.movenet import FETCH
from models.types import Annotations, Footage, Person2D
from pipeline.reconstruct_people import NOBODY
from pipeline.reconstruct_plates import annotated_frames, load_clips, make_plate
from pipeline.records import ClipRecord
from pipeline.runner import cached
from pipeline.settings import Settings
from pipeline.store import Store
from stages import people2d

COUNT, SIZE = 12, (96, 128)
NOBODY_ANNOTATED = np.zeros(COUNT, dtype=bool)


def person(visible: np.ndarray) -> Person2D:
    """Somebody in the middle, of whom only the box is known."""
    boxes = np.tile([50.0, 20.0, 80.0, 90.0], (COUNT, 1)) * visible[:, None]
    return Person2D("p", "resident", visible, boxes, np.zeros((COUNT, 17, 2)), np.zeros((COUNT, 17)))


@pytest.fixture
def filmed(tmp_path):
    """A function that films an even room of some grey, in which a red figure stands in some frames, and reads it into a
    store."""
    store = Store(tmp_path / "store")

    def film(name: str, grey: int, there: np.ndarray, annotations: Annotations | None) -> ClipRecord:
        pictures = []
        for shown in there:
            picture = np.full((*SIZE, 3), grey, np.uint8)
            picture[::8] = grey - 20
            if shown:
                picture[24:86, 54:76] = (220, 20, 20)
            pictures.append(picture)
        write_video(tmp_path / f"{name}.mp4", pictures, 10.0, quality=0)
        times = np.arange(COUNT) / 10.0
        clip = {
            "footage": Footage(name, f"{name}.mp4", "s", "r", "c", times, SIZE[1], SIZE[0], name * 8),
            "key_frames": np.array([0]),
            "background": None,
            "annotations": annotations,
        }
        _, artefact, _ = cached(store, "ingest", 1, None, {"clip": name}, lambda: (clip, {}))
        return ClipRecord(ingest=artefact.key)

    return store, tmp_path, film


def red(image: np.ndarray) -> int:
    return int(((image[..., 0].astype(int) - image[..., 1]) > 60).sum())


def plate_of(store: Store, settings: Settings, root: Path, records: list[ClipRecord]) -> tuple[dict, dict]:
    watched = load_clips(store, settings, root, "s/r/c", records)
    value, artefact, _ = make_plate(store, settings, watched, {})
    return value, artefact.meta["figures"]


def test_a_clip_in_which_nobody_looked_gives_no_frame(filmed):
    """It shows somebody in every frame, and no pose of theirs is known; another is annotated."""
    store, root, film = filmed
    always = np.ones(COUNT, dtype=bool)
    unseen = film("a", 120, always, None)
    listed = Annotations((), np.zeros((0, COUNT), int), listed=always)
    empty = film("b", 130, ~always, listed)
    plate, figures = plate_of(store, Settings({}), root, [unseen, empty])
    assert red(plate["image"]) == 0 and abs(np.median(plate["image"]) - 130) < 4
    assert (figures["frames_looked_at"], figures["frames"]) == (COUNT, 2 * COUNT)
    assert figures["plate_searched"] == 0


def test_only_annotated_frames_count(filmed):
    """The sidecar lists the last three frames alone, and before them somebody stood there unannotated."""
    store, root, film = filmed
    there = np.arange(COUNT) < COUNT - 3
    record = film("a", 120, there, Annotations((), np.zeros((0, COUNT), int), listed=~there))
    plate, figures = plate_of(store, Settings({}), root, [record])
    assert red(plate["image"]) == 0
    assert (figures["frames_looked_at"], figures["plate_frames"]) == (3, 3)


def test_where_nobody_looked_at_all_there_is_no_room(filmed):
    store, root, film = filmed
    record = film("a", 120, NOBODY_ANNOTATED, None)
    remedy = f"annotate frames of an empty room or with everybody in them, or {FETCH}"
    with pytest.raises(InputError) as error:
        plate_of(store, Settings({}), root, [record])
    assert str(error.value) == (
        f"s/r/c: people were looked for in none of its frames, so none can be shown in a plate; {remedy}"
    )


def test_a_detector_that_found_nobody_has_looked_and_one_that_failed_has_not(filmed, tmp_path):
    store, root, film = filmed
    weights = tmp_path / "pose.tflite"
    weights.write_bytes(b"anything")
    settings = Settings({"people2d": {"backend": {"kind": "tflite", "path": str(weights)}}})
    record = film("a", 120, NOBODY_ANNOTATED, None)
    looked = load_clips(store, settings, root, "s/r/c", [record]).looked
    assert not looked[0].any()

    def nobody():
        raise Rejected(NOBODY, "no person was found long enough to follow")

    inputs = {"ingest": record.ingest, "models": people2d.weight_digests(settings.people2d)}
    with pytest.raises(Rejected):
        cached(store, "people2d", people2d.VERSION, settings.people2d, inputs, nobody)
    assert load_clips(store, settings, root, "s/r/c", [record]).looked[0].all()
    assert not load_clips(store, Settings({}), root, "s/r/c", [record]).looked[0].any()


def test_a_sidecar_that_lists_no_frames_vouches_for_those_with_people():
    visible = np.arange(COUNT) % 3 == 0
    clip = {
        "footage": Footage("a", "a.mp4", "s", "r", "c", np.arange(COUNT) / 10.0, 8, 8, ""),
        "annotations": Annotations((person(visible),), np.full((1, COUNT), -1)),
    }
    np.testing.assert_array_equal(annotated_frames(clip), visible)
    assert not annotated_frames(clip | {"annotations": None}).any()


def test_who_is_annotated_by_a_box_alone_is_masked(filmed):
    store, root, film = filmed
    always = np.ones(COUNT, dtype=bool)
    there = np.arange(COUNT) < 8
    record = film("a", 120, there, Annotations((person(there),), np.full((1, COUNT), -1), listed=always))
    plate, _ = plate_of(store, Settings({}), root, [record])
    assert red(plate["image"]) == 0


def test_where_more_people_were_seen_than_are_followed_no_frame_is_used(filmed, tmp_path):
    """Somebody beyond those who are followed stands there in the first half: they would become the background."""
    store, root, film = filmed
    there = np.arange(COUNT) < COUNT // 2
    weights = tmp_path / "pose.tflite"
    weights.write_bytes(b"anything")
    backend = {"kind": "tflite", "path": str(weights)}
    values = {"people2d": {"backend": backend, "search_every_s": 0.1}, "find_people_left": {"enabled": False}}
    settings, record = Settings(values), film("a", 120, there, None)
    unfollowed_s = [0.0, 0.2, 0.4]
    _, found, _ = cached(store, "people2d", 1, None, {}, lambda: ([], {"unfollowed_s": unfollowed_s}))
    record = replace(record, people2d=found.key)
    (looked,) = load_clips(store, settings, root, "s/r/c", [record]).looked
    assert looked.tolist() == (~there).tolist()
    plate, figures = plate_of(store, settings, root, [record])
    assert red(plate["image"]) == 0 and figures["frames_looked_at"] == COUNT // 2
