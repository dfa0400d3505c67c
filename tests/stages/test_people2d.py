"""People in the image: the sidecar wins, MoveNet follows a lying person, transformers in the hub's format."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.types import Annotations, Footage, Person2D
from stages import people2d
from stages.people2d import People2DConfig, Tflite, Transformers

SHARED = Path(__file__).parents[2].parent / "shared"
MOVENET = SHARED / "weights" / "movenet_lightning_ptq.tflite"
FALL = SHARED / "footage" / "upfall" / "A01_S01_T01_C2.mp4"


def footage(count: int = 4, width: int = 160, height: int = 120) -> Footage:
    return Footage("clip", "clip.mp4", "s", "r", "c", np.arange(count) / 10.0, width, height, "0" * 64)


def someone(count: int = 4, score: float = 0.9) -> Person2D:
    # An upright stick figure, 17 keypoints, 60 px tall.
    x = np.array([0, 1, -1, 2, -2, 6, -6, 8, -8, 9, -9, 4, -4, 4, -4, 4, -4], dtype=float)
    y = np.array([0, -1, -1, 0, 0, 10, 10, 20, 20, 30, 30, 30, 30, 45, 45, 60, 60], dtype=float)
    points = np.tile(np.stack([x + 80, y + 30], axis=-1), (count, 1, 1))
    boxes = np.tile([70.0, 25.0, 90.0, 95.0], (count, 1))
    return Person2D("anna", "resident", np.ones(count, bool), boxes, points, np.full((count, 17), score))


def pictures(count: int = 4):
    rng = np.random.default_rng(0)
    return [(i / 10.0, rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)) for i in range(count)]


def test_sidecar_wins_and_no_frame_is_read():
    def frames():
        raise AssertionError("frames were read")
        yield

    known = Annotations((someone(),), np.full((1, 4), -1))
    found, metrics = people2d.run(People2DConfig(), footage(), frames(), known)
    assert found[0] is known.people[0]
    assert metrics["backend"] == "sidecar"
    assert metrics["visible_share"] == [1.0]


def test_sidecar_without_keypoints_is_no_sidecar():
    boxes_only = Annotations((someone(score=0.0),), np.full((1, 4), -1))
    with pytest.raises(InputError, match="no sidecar with keypoints"):
        people2d.run(People2DConfig(), footage(), iter(()), boxes_only)


def test_a_sidecar_that_gives_nothing_is_not_said_to_be_missing():
    words = "has a sidecar without keypoints (annotations.json lists 3 images, none of clip.mp4: it names a.png, ...)"
    with pytest.raises(InputError) as error:
        people2d.run(People2DConfig(), footage(), iter(()), None, words)
    assert str(error.value).startswith(f"clip.mp4: {words} and no pose model is configured; fetch MoveNet")


def test_nothing_configured_names_the_file_and_the_key():
    with pytest.raises(InputError) as error:
        people2d.run(People2DConfig(), footage(), iter(()))
    assert str(error.value) == (
        "clip.mp4: has no sidecar with keypoints and no pose model is configured; fetch MoveNet (movenet singlepose "
        "lightning, tflite, int8) from Kaggle or TFHub and set people2d.backend to {kind: tflite, path: FILE}"
    )
    assert "\n" not in str(error.value)


def test_missing_and_wrong_pose_files(tmp_path):
    for path, problem in (
        (tmp_path / "none.tflite", "is not a readable pose file"),
        (tmp_path / "text.tflite", "is not a TFLite model"),
    ):
        if "text" in path.name:
            path.write_text("no model")
        config = People2DConfig(backend=Tflite(path=path))
        with pytest.raises(InputError, match=re.escape(f"{path}: {problem}")):
            people2d.run(config, footage(), iter(pictures()))


def test_weight_digests_follow_the_file_not_its_name(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"one")
    (tmp_path / "b.tflite").write_bytes(b"one")
    first, second = (
        people2d.weight_digests(People2DConfig(backend=Tflite(path=tmp_path / name)))
        for name in ("a.tflite", "b.tflite")
    )
    assert first == second and list(first) == ["path"]
    (tmp_path / "b.tflite").write_bytes(b"two")
    assert people2d.weight_digests(People2DConfig(backend=Tflite(path=tmp_path / "b.tflite"))) != first
    assert people2d.weight_digests(People2DConfig()) == {}
    assert people2d.weight_digests(People2DConfig(backend=Transformers())) == {}  # a hub id is no file


def shifted(person: Person2D, x: float, name: str = "person_1") -> Person2D:
    box, points = np.array([x, 0.0, x, 0.0]), np.array([x, 0.0])
    return replace(person, person=name, boxes_px=person.boxes_px + box, keypoints_px=person.keypoints_px + points)


def only(person: Person2D, visible: np.ndarray, keypoints: np.ndarray | None = None) -> Person2D:
    """Unseen outside `visible`, and with a box alone outside `keypoints`."""
    shown = people2d.emptied(person, ~visible)
    return shown if keypoints is None else replace(shown, scores=shown.scores * keypoints[:, None])


def test_back_end_fills_what_the_sidecar_lacks():
    """Keypoints of the sidecar win; a box alone gets the back end's keypoints; unlisted frames get its whole person."""
    frames = np.arange(20)
    anna, bert = someone(20), shifted(someone(20), 50.0, "bert")
    listed = frames < 12
    drawn = [only(anna, listed, frames < 5), only(bert, listed & (frames != 7))]
    found = [shifted(bert, 2.0, "person_1"), shifted(anna, 1.0, "person_2"), shifted(anna, -45.0, "person_3")]
    people, metrics = people2d._merge(People2DConfig(), drawn, listed, found, footage(20))
    a, b, new = people
    assert (a.person, b.person, new.person) == ("anna", "bert", "person_1")
    assert np.array_equal(a.keypoints_px[:5], anna.keypoints_px[:5])
    assert np.array_equal(a.keypoints_px[5:], found[1].keypoints_px[5:]) and a.visible.all()
    assert np.array_equal(a.boxes_px[5:12], anna.boxes_px[5:12])  # the box that was drawn stays
    assert np.array_equal(a.boxes_px[12:], found[1].boxes_px[12:])
    # In a listed frame where nobody drew bert, he is not there, whatever the back end says.
    assert np.flatnonzero(~b.visible).tolist() == [7]
    assert np.array_equal(b.keypoints_px[:7], bert.keypoints_px[:7])
    # Whom nobody drew at all joins only where the sidecar is silent.
    assert np.array_equal(new.visible, ~listed)
    rows = {row["person"]: row for row in metrics["people"]}
    assert rows["anna"]["filled_frames"] == 15 and rows["anna"]["compared_frames"] == 5
    assert rows["anna"]["keypoints_box_share_median"] == pytest.approx(1.0 / 70.0)
    assert rows["bert"]["filled_frames"] == 8 and rows["bert"]["box_iou_median"] == pytest.approx(18 / 22)
    assert metrics["found_only_frames"] == 12 + 1 and metrics["added_people"] == 1
    assert metrics["identity_switches"] == 0


def test_disagreement_and_switches_are_reported():
    frames = np.arange(20)
    anna, bert = someone(20), shifted(someone(20), 50.0, "bert")
    # Legs drawn as if under a blanket: the box is right, ten keypoints are not.
    blanket = anna.keypoints_px.copy()
    blanket[9, 7:] += [0.0, -32.0]
    found_a, found_b = anna, bert
    swapped = [
        replace(
            one,
            keypoints_px=np.where(frames[:, None, None] < 14, one.keypoints_px, two.keypoints_px),
            boxes_px=np.where(frames[:, None] < 14, one.boxes_px, two.boxes_px),
        )
        for one, two in ((found_a, found_b), (found_b, found_a))
    ]
    drawn = [replace(anna, keypoints_px=blanket), bert]
    people, metrics = people2d._merge(People2DConfig(), drawn, np.ones(20, bool), swapped, footage(20))
    assert np.array_equal(people[0].keypoints_px, blanket)  # the sidecar wins, and is contradicted
    row = metrics["people"][0]
    assert row["disagreeing_frames"] == 1 and row["worst_frame"] == 9
    assert row["keypoints_box_share_worst"] == pytest.approx(32.0 * 10 / 17 / 70)
    assert metrics["identity_switches"] == 2


def test_checking_without_a_back_end_names_both_keys():
    with pytest.raises(
        ValueError, match="check_sidecar asks for a pose model to check against, and backend names none"
    ):
        People2DConfig(check_sidecar=True)


def test_the_back_end_runs_only_where_it_is_wanted(tiny_checkpoints):
    backend = Transformers(
        detector=str(tiny_checkpoints / "detector"), pose=str(tiny_checkpoints / "pose"), min_detection_score=0.0
    )
    config = People2DConfig(backend=backend, min_score=0.0, min_seconds=0.5)
    anna = someone(8)
    whole = Annotations((anna,), np.full((1, 8), -1), listed=np.ones(8, bool))

    def unread():
        raise AssertionError("frames were read")
        yield

    found, metrics = people2d.run(config, footage(8), unread(), whole)
    assert found == [anna] and metrics["backend"] == "sidecar" and metrics["sidecar"] == {"lacking_frames": 0}
    part = replace(whole, people=(only(anna, np.arange(8) != 3),), listed=np.arange(8) != 3)
    for config_now, known in ((config, part), (config.model_copy(update={"check_sidecar": True}), whole)):
        people, metrics = people2d.run(config_now, footage(8), iter(pictures(8)), known)
        assert metrics["backend"].startswith("sidecar+transformers:")
        assert people[0].person == "anna"
        assert np.array_equal(people[0].keypoints_px[0], anna.keypoints_px[0])
        assert (
            metrics["sidecar"]["people"][0]["sidecar_only_frames"] + metrics["sidecar"]["people"][0]["compared_frames"]
            >= 7 - 1
        )
    people, metrics = people2d.run(People2DConfig(), footage(8), unread(), part)
    assert metrics["sidecar"] == {"lacking_frames": 1}


@pytest.fixture(scope="module")
def tiny_checkpoints(tmp_path_factory):
    """RT-DETR and ViTPose with random weights, saved as the hub stores them."""
    import torch
    from transformers import (
        RTDetrConfig,
        RTDetrForObjectDetection,
        RTDetrImageProcessorPil,
        RTDetrResNetConfig,
        VitPoseBackboneConfig,
        VitPoseConfig,
        VitPoseForPoseEstimation,
        VitPoseImageProcessorPil,
    )

    folder = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    detector = RTDetrConfig(
        backbone_config=backbone,
        encoder_in_channels=[16, 16, 16],
        encoder_hidden_dim=16,
        encoder_ffn_dim=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        d_model=16,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        num_queries=10,
        num_denoising=0,
        id2label={0: "person", 1: "cat"},
        label2id={"person": 0, "cat": 1},
        use_pretrained_backbone=False,
    )
    RTDetrForObjectDetection(detector).save_pretrained(folder / "detector")
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder / "detector")
    for name, keypoints in (("pose", 17), ("hand", 21)):
        vit = VitPoseBackboneConfig(
            image_size=[64, 48],
            patch_size=[16, 16],
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            mlp_ratio=1,
        )
        labels = {i: str(i) for i in range(keypoints)}
        pose = VitPoseConfig(
            backbone_config=vit, id2label=labels, label2id={v: k for k, v in labels.items()}, use_simple_decoder=True
        )
        VitPoseForPoseEstimation(pose).save_pretrained(folder / name)
        VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(folder / name)
    return folder


def test_transformers_back_end_runs_saved_checkpoints(tiny_checkpoints):
    from models.people2d.vitpose import TransformersPose

    network = TransformersPose(str(tiny_checkpoints / "detector"), None, str(tiny_checkpoints / "pose"), None)
    image = pictures(1)[0][1]
    boxes = network.detect(image, 0.0)
    assert boxes.shape[1] == 4 and len(boxes) > 0
    assert (boxes[:, 2:] > boxes[:, :2]).all() and boxes.min() >= 0 and (boxes <= [160, 120, 160, 120]).all()
    both = network.keypoints(image, np.array([[10.0, 10.0, 60.0, 100.0], [80.0, 20.0, 140.0, 110.0]]))
    alone = [
        network.keypoints(image, box[None])[0]
        for box in np.array([[10.0, 10.0, 60.0, 100.0], [80.0, 20.0, 140.0, 110.0]])
    ]
    for together, single in zip(both, alone, strict=True):
        assert np.abs(together.keypoints_px - single.keypoints_px).max() < 1e-2
        assert np.abs(together.scores - single.scores).max() < 1e-5
    # Keypoints lie in the neighbourhood of their own box (ViTPose pads it by a quarter and to its aspect).
    assert (both[1].keypoints_px[:, 0] > 30).all()


def test_transformers_people_end_to_end(tiny_checkpoints):
    backend = Transformers(
        detector=str(tiny_checkpoints / "detector"), pose=str(tiny_checkpoints / "pose"), min_detection_score=0.0
    )
    still = [(i / 10.0, pictures(1)[0][1]) for i in range(8)]
    config = People2DConfig(backend=backend, min_score=0.0, min_seconds=0.5)
    first, metrics = people2d.run(config, footage(8), iter(still))
    second, _ = people2d.run(config, footage(8), iter(still))
    assert metrics["backend"].startswith("transformers:")
    assert metrics["people"] + metrics["dropped_tracks"] > 0
    assert [p.keypoints_px.tobytes() for p in first] == [p.keypoints_px.tobytes() for p in second]


def test_transformers_errors_are_one_line(tiny_checkpoints, tmp_path):
    missing = Transformers(detector=str(tmp_path / "nothing"), pose=str(tiny_checkpoints / "pose"))
    with pytest.raises(InputError) as error:
        people2d.run(People2DConfig(backend=missing), footage(), iter(pictures()))
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("give a hub id that can be reached or a local folder in people2d.backend.detector")
    hand = Transformers(detector=str(tiny_checkpoints / "detector"), pose=str(tiny_checkpoints / "hand"))
    with pytest.raises(
        InputError, match="gives 21 keypoints, expected COCO's 17; set people2d.backend.pose to a COCO ViTPose"
    ):
        people2d.run(People2DConfig(backend=hand), footage(), iter(pictures()))


needs_shared = pytest.mark.skipif(
    not (MOVENET.exists() and FALL.exists()), reason="../shared/weights and ../shared/footage are not here"
)


@pytest.fixture(scope="module")
def fall_frames():
    from models.footage.video import read_frames

    return [frame for i, frame in enumerate(read_frames(FALL)) if 30 <= i < 100 and i % 2 == 0]


@needs_shared
def test_movenet_follows_the_one_who_falls_and_the_one_who_sits(fall_frames):
    times = np.array([t for t, _ in fall_frames]) - fall_frames[0][0]
    clip = replace(footage(), timestamps_s=times, width_px=640, height_px=480)
    config = People2DConfig(backend=Tflite(path=MOVENET, threads=1), search_every_s=2.0)
    people, _ = people2d.run(config, clip, zip(times, (f for _, f in fall_frames), strict=True))
    again, _ = people2d.run(config, clip, zip(times, (f for _, f in fall_frames), strict=True))
    assert [p.keypoints_px.tobytes() for p in people] == [p.keypoints_px.tobytes() for p in again]
    falls, sits = people[:2]
    assert falls.visible.mean() > 0.95 and sits.visible.mean() > 0.9
    # The main mover stands in the middle of the image and ends lying on the mattress, head towards the camera, feet up.
    start, end = falls.keypoints_px[0], falls.keypoints_px[-1]
    assert start[[15, 16], 1].mean() - start[0, 1] > 120
    assert end[0, 1] > end[[11, 12], 1].mean() + 10
    assert falls.scores[-1].mean() > 0.4
    # A bystander never wins the crop: the sitter stays on the right all along.
    assert np.all(sits.boxes_px[sits.visible][:, 0] > 480)
    assert np.all(falls.boxes_px[falls.visible][:, 2] < 480)


def test_the_nearest_time_is_found_as_by_a_search_through_all():
    rng = np.random.default_rng(0)
    for _ in range(50):
        known = rng.permutation(np.unique(rng.integers(0, 200, rng.integers(1, 40)))) / 10.0
        asked = np.arange(220) / 10.0
        expected = np.abs(asked[:, None] - known[None]).argmin(axis=1)
        np.testing.assert_array_equal(people2d._nearest(known, asked), expected)
