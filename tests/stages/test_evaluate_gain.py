import numpy as np
import pandas as pd
import pytest

from models.errors import InputError
from models.types import ACTIONS, Annotations, Person2D
from stages.evaluate_gain import EvaluateConfig, PoseClip, dataset_poses, labelled_poses, run, verdict, windows

CONFIG = EvaluateConfig(trees=40, bootstraps=50)


def stick(t, rng, falls):
    """A person of 17 points 100 px tall; a fall lays them flat from 2 s to 3 s."""
    times = np.arange(t) / 15
    down = np.clip(times - 2.0, 0, 1) if falls else np.zeros(t)
    height = np.linspace(-1, 0, 17)
    x = np.outer(np.sin(down * np.pi / 2), height) * 100 + rng.normal(0, 1.5, (t, 17))
    y = np.outer(np.cos(down * np.pi / 2), height) * 100 + rng.normal(0, 1.5, (t, 17))
    actions = np.full(t, ACTIONS.index("standing"))
    if falls:
        actions[(times >= 2) & (times < 3)] = ACTIONS.index("fall")
        actions[times >= 3] = ACTIONS.index("fallen")
    return times, np.stack([x, y], axis=-1) + rng.uniform(100, 400, 2), actions


def clips(seed, rooms=("a", "b"), each=4, shuffled=False):
    rng = np.random.default_rng(seed)
    result = []
    for room in rooms:
        for index in range(each):
            times, points, actions = stick(75, rng, index % 2 == 0)
            if shuffled:
                points = points[rng.permutation(75)] + rng.normal(0, 60, points.shape)
            result.append(PoseClip(f"{room}{index}", room, times, points, np.ones((75, 17)), actions))
    return result


def test_falls_that_can_be_learnt_are_learnt_and_noise_is_not():
    good = run(CONFIG, clips(0), clips(1), None, np.random.default_rng(0))
    for arm in ("real", "synthetic", "real+synthetic"):
        value, low, high = good["average_precision_fall"][arm]
        assert low <= value <= high and value > 0.9
    noise = run(CONFIG, clips(0, shuffled=True), clips(1, shuffled=True), None, np.random.default_rng(0))
    assert noise["average_precision_fall"]["real"][0] < 0.7
    assert good["split"] == "one room held out at a time" and good["rooms"] == ["a", "b"]


def test_no_room_is_in_training_and_test():
    """Room b's falls look like nothing in room a: trained on a alone they cannot be found, whatever b holds."""
    first, second = clips(0, ("a",)), clips(1, ("b",), shuffled=True)
    result = run(CONFIG, first + second, [], None, np.random.default_rng(0))
    alone = run(CONFIG, first, [], second, np.random.default_rng(0))
    assert result["average_precision_fall"]["synthetic"] is None
    assert result["average_precision_fall"]["real"][0] < 0.8 and alone["average_precision_fall"]["real"][0] < 0.8


def test_windows_do_not_depend_on_place_size_or_frame_rate():
    (clip,) = clips(0, ("a",), 1)
    moved = PoseClip("m", "a", clip.times_s, clip.keypoints_px * 3 + [50, -20], clip.scores, clip.actions)
    np.testing.assert_allclose(windows(CONFIG, [clip]).features, windows(CONFIG, [moved]).features, atol=1e-9)
    assert windows(CONFIG, [clip], mirror=True).features.shape[0] == 2 * windows(CONFIG, [clip]).features.shape[0]


def test_joints_that_were_not_seen_say_nothing():
    (clip,) = clips(0, ("a",), 1)
    scores = clip.scores.copy()
    scores[:, 9] = 0.0
    wild = clip.keypoints_px.copy()
    wild[:, 9] = 1e5
    a = windows(CONFIG, [PoseClip("x", "a", clip.times_s, wild, scores, clip.actions)]).features
    b = windows(CONFIG, [PoseClip("x", "a", clip.times_s, clip.keypoints_px, scores, clip.actions)]).features
    np.testing.assert_array_equal(a, b)


def test_same_generator_same_table():
    one = run(CONFIG, clips(0), clips(1), None, np.random.default_rng(3))
    assert one == run(CONFIG, clips(0), clips(1), None, np.random.default_rng(3))


def test_real_footage_without_falls_is_an_error():
    quiet = [clip for clip in clips(0) if ACTIONS.index("fall") not in clip.actions]
    with pytest.raises(InputError, match="hold 0 fall windows of"):
        run(CONFIG, quiet, clips(1), None, np.random.default_rng(0))


def seen(name, offset=0.0):
    boxes, points = np.zeros((4, 4)), np.full((4, 17, 2), offset)
    return Person2D(name, "person", np.ones(4, bool), boxes, points, np.ones((4, 17)))


def test_real_people_are_labelled_by_the_sidecar_else_by_the_table():
    times, found = np.arange(4) / 2.0, [seen("mover", 1.0), seen("bystander", 2.0)]
    parts = [("walk", 0.0, 0.9), ("fall", 1.0, 1.4)]
    (one,) = labelled_poses("c", "r", times, found, None, parts)  # the table says nothing of the bystander
    assert (one.clip, one.room) == ("c/mover", "r") and one.keypoints_px[0, 0, 0] == 1.0
    assert one.actions.tolist() == [ACTIONS.index("walk")] * 2 + [ACTIONS.index("fall"), -1]
    annotated = Annotations((seen("anna", 3.0), seen("bert", 4.0)), np.array([[1, 1, 2, 2], [-1, 0, 0, 0]]))
    both = labelled_poses("c", "r", times, found, annotated, parts)
    assert [clip.clip for clip in both] == ["c/anna", "c/bert"] and both[1].actions.tolist() == [-1, 0, 0, 0]
    unlabelled = Annotations((seen("anna"),), np.full((1, 4), -1))
    assert labelled_poses("c", "r", times, found, unlabelled, parts)[0].clip == "c/mover"
    assert labelled_poses("c", "r", times, found, unlabelled, None) == []


def test_a_dataset_is_read_back_with_hidden_joints_as_not_seen(tmp_path):
    rows = [
        {
            "clip": "clip_0",
            "person": "p",
            "frame": frame,
            "timestamp_s": frame / 10,
            "room": "r",
            "action": ["walk", "", "fall"][frame],
            "keypoints_px": np.arange(34.0) + frame,
            "keypoints_visible": [2, 1, 0] + [2] * 14,
        }
        for frame in (2, 0, 1)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "frames.parquet")
    (clip,) = dataset_poses(tmp_path)
    assert (clip.clip, clip.room, clip.times_s.tolist()) == ("clip_0/p", "r", [0.0, 0.1, 0.2])
    assert clip.actions.tolist() == [ACTIONS.index("walk"), -1, ACTIONS.index("fall")]
    assert clip.scores[0, :4].tolist() == [1.0, 0.5, 0.0, 1.0] and clip.keypoints_px[2, 1].tolist() == [4.0, 5.0]
    with pytest.raises(InputError, match="is not a dataset"):
        dataset_poses(tmp_path / "nowhere")


def test_the_verdict_needs_the_whole_interval_on_one_side():
    assert verdict([0.1, 0.01, 0.2]) == "the synthetic clips help"
    assert verdict([-0.1, -0.2, -0.01]) == "the synthetic clips hurt"
    assert verdict([0.1, -0.01, 0.2]) == "no difference that this footage can show"
    assert verdict(None) == "not measured"
