"""COCO as CVAT, Label Studio, Roboflow and others write it: the same people as in COCO of our own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from models.errors import InputError
from models.files import digest
from models.footage.annotation_words import ROLES
from models.footage.coco_file import clip_entries, file_complaints, find_sidecar, read_coco, why_nothing
from models.footage.coco_sidecar import read_annotations
from models.types import COCO_KEYPOINTS, Annotations, Footage

SHARED = Path(__file__).parents[4] / "shared" / "inputs" / "sidecar"


def known(**entry) -> dict[str, Any]:
    """Two people in frames 0 to 2 of clip_01.mp4 (64x48), in our own words."""
    annotations = []
    for frame in range(3):
        for who, left in ((1, 10), (2, 40)):
            points = [[left + k % 5, 5 + 2 * k, 2] for k in range(17)]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": frame + 1,
                    "category_id": 2,
                    "person_id": who,
                    "bbox": [left + frame, 5, 10, 35],
                    "keypoints": [value for point in points for value in point],
                    **entry,
                }
            )
    images = [{"id": n + 1, "file_name": "clip_01.mp4", "frame": n, "width": 64, "height": 48} for n in range(3)]
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "patient", "keypoints": list(COCO_KEYPOINTS)}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "clip_01.mp4").touch()
    return tmp_path


def read(folder: Path, value: Any, frames: int = 12, clip: str = "clip_01.mp4") -> tuple[Annotations | None, list[str]]:
    sidecar = folder / "annotations.json"
    sidecar.write_text(value if isinstance(value, str) else json.dumps(value))
    entries = clip_entries(sidecar, folder / clip)
    if entries is None:
        return None, file_complaints(sidecar)
    footage = Footage("c", clip, "", "", "", np.arange(frames) / 15, 64, 48, "00")
    annotations, words = read_annotations(sidecar, entries, footage)
    return annotations, [*file_complaints(sidecar), *words]


def same(first: Annotations, second: Annotations) -> bool:
    return len(first.people) == len(second.people) and all(
        np.array_equal(one.keypoints_px, two.keypoints_px) and np.array_equal(one.boxes_px, two.boxes_px)
        for one, two in zip(first.people, second.people, strict=True)
    )


def as_it_was(value: dict[str, Any]) -> dict[str, Any]:
    """What was kept of a file with one clip, and digested, before other programs' words were understood."""
    return value | {"categories": {one["id"]: one["name"] for one in value["categories"]}}


def test_what_is_in_our_words_stays_as_it_is(folder):
    """Its digest is part of artefacts' keys: no file that was read rightly before is read anew."""
    value = known()
    read(folder, value)
    assert digest(clip_entries(folder / "annotations.json", folder / "clip_01.mp4")) == digest(as_it_was(value))


def test_the_nearest_sidecar_is_found(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.mp4").touch()
    assert find_sidecar(tmp_path / "room" / "a.mp4", tmp_path) is None
    (tmp_path / "annotations.json").touch()
    assert find_sidecar(tmp_path / "room" / "a.mp4", tmp_path) == tmp_path / "annotations.json"
    assert find_sidecar(tmp_path / "room" / "a.mp4", tmp_path / "room") is None


def as_cvat(value):
    for entry in value["annotations"]:
        entry["attributes"] = {"occluded": False, "track_id": entry.pop("person_id"), "keyframe": True}
    for image in value["images"]:
        image["file_name"] = f"frame_{image.pop('frame'):06d}.PNG"
        image["path"] = image["file_name"]


def as_track_ids(value):
    for entry in value["annotations"]:
        entry["track_id"] = entry.pop("person_id")


def as_strings(value):
    for entry in value["annotations"]:
        entry["image_id"], entry["category_id"] = str(entry["image_id"]), str(entry["category_id"])
    for image in value["images"]:
        image["frame"] = str(image["frame"])


def as_string_image_ids(value):
    for image in value["images"]:
        image["id"], image["frame_id"] = str(image["id"]), float(image.pop("frame"))


def as_right_first(value):
    order = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    value["categories"][1]["keypoints"] = [COCO_KEYPOINTS[k] for k in order]
    for entry in value["annotations"]:
        entry["keypoints"] = np.array(entry["keypoints"]).reshape(17, 3)[order].ravel().tolist()


def as_more_joints(value):
    value["categories"][1]["keypoints"] = ["Neck", *(name.replace("_", " ").title() for name in COCO_KEYPOINTS)]
    for entry in value["annotations"]:
        entry["keypoints"] = [1, 1, 2, *entry["keypoints"]]


def as_numbered_joints(value):
    value["categories"][1]["keypoints"] = [str(number) for number in range(1, 18)]


def as_windows_paths(value):
    for image in value["images"]:
        image["file_name"] = f".\\{image['file_name']}"


def as_named_frames(value):
    for image in value["images"]:
        image["file_name"] = f"images/5e3f00aa-clip_01_frame_{image['frame']:03d}.jpg"


def as_roboflow(value):
    for image, frame in zip(value["images"], (0, 1, 2), strict=True):
        del image["frame"]
        image["file_name"] = f"clip_01_mp4-{frame:04d}_jpg.rf.0a1b2c3d4e5f.jpg"


FOREIGN = [
    as_cvat,
    as_track_ids,
    as_strings,
    as_string_image_ids,
    as_right_first,
    as_more_joints,
    as_numbered_joints,
    as_windows_paths,
    as_named_frames,
]


@pytest.mark.parametrize("write", FOREIGN, ids=lambda write: write.__name__)
def test_other_programs_words_give_the_same_people(folder, write):
    own, nothing = read(folder, known())
    assert nothing == [] and own is not None and len(own.people) == 2
    value = known()
    write(value)
    other, words = read(folder, value)
    assert words == [] and other is not None and same(own, other)
    now = digest(clip_entries(folder / "annotations.json", folder / "clip_01.mp4"))
    # Joints by number were read rightly before, and images by other names not at all.
    found_before = write not in (as_numbered_joints, as_windows_paths, as_named_frames)
    assert (now != digest(as_it_was(value))) == found_before


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Person", "person"),
        ("PEDESTRIAN", "person"),
        ("human", "person"),
        ("Staff", "carer"),
        ("Care-Worker", "carer"),
        ("care_worker", "carer"),
        ("Resident", "resident"),
        ("Patients", "resident"),
    ],
)
def test_people_by_any_name(folder, name, role):
    value = known()
    value["categories"][1]["name"] = name
    annotations, words = read(folder, value)
    assert [person.role for person in annotations.people] == [role] * 2 and words == []


def test_what_nobody_knows_is_counted(folder):
    value = known()
    value["categories"][1]["name"] = "cat"
    annotations, words = read(folder, value)
    assert annotations.people == ()
    expected = "annotations.json: 6 annotations, the first 0: its category 'cat' is none of ours, and it has no mask"
    assert words == [expected]


def test_another_skeleton_leaves_the_boxes(folder):
    value = known()
    value["categories"][1]["keypoints"] = ["pelvis", "thorax", *(f"point {n}" for n in range(15))]
    annotations, words = read(folder, value)
    assert len(annotations.people) == 2 and not annotations.people[0].scores.any()
    assert annotations.people[0].boxes_px.any()
    expected = "its keypoints are not used: of 17 called pelvis, thorax, point 0, point 1, ... COCO's cannot be told"
    assert words == [f"annotations.json: 6 annotations, the first 0: {expected}"]


def test_a_cvat_box_track_has_boxes_alone(folder):
    annotations, words = read(folder, known(keypoints=[]))
    assert words == [] and annotations.people[0].boxes_px.any() and not annotations.people[0].scores.any()


def test_people_without_a_number_are_told_apart_by_their_boxes(folder):
    own, _ = read(folder, known())
    value = known()
    for entry in value["annotations"]:
        del entry["person_id"]
    value["annotations"][2:4] = value["annotations"][3:1:-1]  # listed the other way round in one frame
    annotations, words = read(folder, value)
    assert words == [] and same(own, annotations)


def test_one_number_for_a_carer_and_a_patient_is_two_people(folder):
    value = known()
    value["categories"].append({"id": 3, "name": "staff"})
    for entry in value["annotations"]:
        if entry.pop("person_id") == 2:
            entry["category_id"] = 3
        entry["track_id"] = 1
    annotations, _ = read(folder, value)
    assert {person.role for person in annotations.people} == {"resident", "carer"}


def test_roboflow_s_numbers_are_frames_only_where_they_end_with_the_clip(folder):
    own, _ = read(folder, known())
    value = known()
    as_roboflow(value)
    annotations, words = read(folder, value, frames=3)
    assert words == [] and np.array_equal(annotations.people[0].boxes_px, own.people[0].boxes_px[:3])
    annotations, words = read(folder, value, frames=900)
    assert annotations.people == () and len(words) == 1
    assert "the files' numbers go from 0 to 2 and the clip has 900 frames; write `frame`" in words[0]


def test_frames_of_a_folder_of_images(folder):
    (folder / "shots").mkdir()
    for number in (30, 4, 100):
        Image.new("RGB", (64, 48)).save(folder / "shots" / f"img_{number}.jpg")
    value = known()
    for image, number in zip(value["images"], (4, 30, 100), strict=True):
        image["file_name"] = f"shots/img_{number}.jpg"
        del image["frame"]
    annotations, words = read(folder, value, clip="shots")
    assert words == [] and annotations.listed.tolist()[:4] == [True, True, True, False]


def test_a_frame_that_two_clips_could_have_is_refused_by_name(folder):
    (folder / "clip_02.mp4").touch()
    value = known()
    as_cvat(value)
    annotations, words = read(folder, value)
    assert annotations is None
    what = "its file_name does not tell the clip (2 clips could be meant): write the clip's path, and `frame`"
    assert words == [f"annotations.json: 3 images, the first frame_000000.PNG: {what}"]
    why = why_nothing(folder / "annotations.json", folder / "clip_01.mp4")
    assert why == (
        "annotations.json lists 3 images, none of clip_01.mp4: it names frame_000000.PNG, frame_000001.PNG, ..."
    )


def test_an_image_without_id_costs_its_annotations(folder):
    value = known()
    del value["images"][0]["id"]
    value["images"].append({"id": 2, "file_name": "clip_01.mp4", "frame": 5})
    annotations, words = read(folder, value)
    assert annotations.listed.tolist()[:6] == [False, False, True, False, False, False]
    assert words == [
        "annotations.json: image clip_01.mp4: it has no id or no file_name",
        "annotations.json: 2 images, the first clip_01.mp4: its id 2 is another image's, too",
        "annotations.json: 2 annotations, the first 0: its image_id is no image's",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not readable JSON"),
        ("[]", "is not a readable COCO file (it has no list 'images')"),
        ('{"images": [], "annotations": {}}', "is not a readable COCO file (it has no list 'annotations')"),
        ("null", "is not a readable COCO file (it has no list 'images')"),
    ],
)
def test_a_file_that_cannot_be_read_costs_no_clip(folder, text, problem):
    annotations, words = read(folder, text)
    assert annotations is None and len(words) == 1
    assert words[0].startswith(f"annotations.json {problem}") and words[0].endswith("; clips go on without it")
    with pytest.raises(InputError):
        read_coco(folder / "annotations.json")
    assert problem in why_nothing(folder / "annotations.json", folder / "clip_01.mp4")


@pytest.mark.parametrize("path", sorted(SHARED.glob("*.json")), ids=lambda path: path.stem)
def test_inputs_of_other_programs(folder, path):
    """Small files that other programs write; `ok.json` is the right one."""

    def of(source: Path) -> tuple[Annotations, list[str]]:
        (folder / "annotations.json").write_bytes(source.read_bytes())
        entries = clip_entries(folder / "annotations.json", folder / "clip_01.mp4")
        footage = Footage("c", "clip_01.mp4", "", "", "", np.arange(12) / 15, 640, 480, "00")
        annotations, words = read_annotations(folder / "annotations.json", entries, footage)
        return annotations, [*file_complaints(folder / "annotations.json"), *words]

    own, found = of(SHARED / "ok.json")[0], of(path)
    costs = {
        "image_without_id": 2,
        "no_category_id": 1,
        "segmentation_empty_polygon": 1,
        "segmentation_one_point": 1,
    }
    assert len(found[1]) == costs.get(path.stem, 0), found[1]
    assert len(found[0].people) == 2
    whole = [True, True, True] if path.stem not in ("image_without_id", "no_category_id") else [False, True, True]
    assert found[0].listed.tolist()[:3] == whole
    if path.stem not in ("keypoints_empty_cvat_track", "image_without_id", "no_category_id"):
        assert same(own, found[0])


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**12),
    st.floats(),
    st.text(max_size=8),
    st.builds(list),
    st.builds(dict),
    st.lists(st.integers(-5, 900), max_size=8),
    st.builds(lambda: [[1, 2, 3, 4, 5, 6]]),
    st.builds(lambda text: {"size": [48, 64], "counts": text}, st.text(max_size=12)),
)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spoiled_file_is_read_or_left_out_and_nothing_else(folder, data):
    """Any value anywhere: people come out whole, or reasons do; no other error."""
    value = known(segmentation=[[10, 5, 29, 5, 29, 34]])
    for _ in range(data.draw(st.integers(1, 3))):
        part = value[data.draw(st.sampled_from(sorted(value)))]
        place = data.draw(st.integers(0, len(part) - 1))
        if not isinstance(part[place], dict) or data.draw(st.booleans()) and data.draw(st.booleans()):
            part[place] = data.draw(VALUES)
            continue
        key = data.draw(st.sampled_from([*part[place], "attributes", "track_id", "segmentation"]))
        if data.draw(st.booleans()):
            part[place].pop(key, None)
        else:
            part[place][key] = data.draw(VALUES)
    annotations, words = read(folder, json.dumps(value))
    assert all(isinstance(line, str) and "\n" not in line for line in words)
    for person in annotations.people if annotations else ():
        assert person.role in ROLES.values() and np.isfinite(person.boxes_px).all()
        assert np.isfinite(person.keypoints_px).all()


@given(st.binary(max_size=40), st.integers(0, 3000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_or_left_out_and_nothing_else(folder, noise, at):
    content = json.dumps(known()).encode()
    (folder / "annotations.json").write_bytes(content[:at] + noise + content[at + len(noise) :])
    assert file_complaints(folder / "annotations.json") or clip_entries(
        folder / "annotations.json", folder / "clip_01.mp4"
    )
