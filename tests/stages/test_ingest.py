import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from models.errors import InputError, Rejected
from models.footage.listing import Listing, list_footage
from models.footage.video_writer import write_video
from stages.ingest import Clip, IngestConfig, assign_cameras, run


def textured(seed, size=(480, 640)):
    noise = np.random.default_rng(seed).normal(size=size)
    image = sum(gaussian_filter(noise, s) / gaussian_filter(noise, s).std() for s in (1.5, 4, 12))
    return (128 + 30 * np.clip(image, -4, 4)).clip(0, 255).astype(np.uint8)


def clip_of(name, image, row=None):
    frames = ((i / 15, np.repeat(image[..., None], 3, axis=2)) for i in range(10))
    return run(IngestConfig(), Listing(name, Path(f"{name}.mp4"), row or {}), frames, "0" * 64)


def test_times_key_frames_and_background_of_a_known_clip():
    """A grey room in which the light is switched on at frame 6: two key frames, and the median shows the longer
    state."""
    frames = [np.full((48, 64, 3), 60 if i < 6 else 120, np.uint8) for i in range(10)]
    clip = run(IngestConfig(), Listing("a", Path("a.mp4"), {}), ((i * 0.1, f) for i, f in enumerate(frames)), "00")
    assert clip.key_frames.tolist() == [0, 6]
    np.testing.assert_allclose(clip.footage.timestamps_s, np.arange(10) * 0.1)
    assert (clip.footage.width_px, clip.footage.height_px) == (64, 48)
    assert clip.background.shape == (480, 640) and (clip.background == 60).all()


def test_a_clip_of_one_frame_is_set_aside():
    with pytest.raises(Rejected, match=r"too short: 1 frame\(s\), at least 8 are needed"):
        run(IngestConfig(), Listing("a", Path("a.mp4"), {}), [(0.0, np.zeros((48, 64, 3), np.uint8))], "00")


def test_clips_share_a_camera_only_if_their_backgrounds_register():
    room, other = textured(0, (600, 800)), textured(1)
    clips = [
        clip_of("a", room[60:540, 80:720]),
        clip_of("b", (room[60:540, 80:720] * 0.8 + 10).astype(np.uint8)),  # another exposure, the same view
        clip_of("c", room[60:540, 95:735]),  # bumped by 15 px
        clip_of("d", other),
    ]
    named, notes = assign_cameras(IngestConfig(), clips)
    cameras = [footage.camera for footage in named]
    assert cameras[0] == cameras[1]
    assert len(set(cameras)) == 3
    assert len(notes) == 1 and "c: the view has moved 15.0 px" in notes[0]


def test_footage_csv_names_cameras_but_a_bumped_one_is_new():
    room = textured(0, (600, 800))
    row = {"site": "s", "room": "r", "camera": "k"}
    clips = [
        clip_of("a", room[60:540, 80:720], row),
        clip_of("b", room[60:540, 95:735], row),
        clip_of("c", textured(7), row),
    ]
    named, notes = assign_cameras(IngestConfig(), clips)
    assert [footage.camera for footage in named] == ["s/r/k", "s/r/k~2", "s/r/k"]
    assert len(notes) == 1


def test_listing_walks_trees_and_passes_truth_over(tmp_path):
    for path in ("home/room/1.mp4", "home/room/2.mkv", "truth/x/masks.mkv", "home/notes.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    (tmp_path / "home/room/images").mkdir()
    (tmp_path / "home/room/images/0.png").write_bytes(b"x")
    assert [one.clip for one in list_footage(tmp_path).clips] == [
        "home__room__1",
        "home__room__2",
        "home__room__images",
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("path\n1.mp4\n", "has no column 'camera'"),
        ("path,camera\n/etc/passwd,a\n", "line 2: /etc/passwd leaves the footage folder"),
        ("path,camera\n../x.mp4,a\n", "line 2: ../x.mp4 leaves the footage folder"),
    ],
)
def test_bad_footage_tables(tmp_path, table, problem):
    (tmp_path / "footage.csv").write_text(table)
    with pytest.raises(InputError, match=problem):
        list_footage(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no video and no folder of images"):
        list_footage(tmp_path)


def test_same_frames_same_clip():
    one, two = clip_of("a", textured(0)), clip_of("a", textured(0))
    np.testing.assert_array_equal(one.background, two.background)
    assert isinstance(one, Clip) and json.dumps(one.key_frames.tolist()) == json.dumps(two.key_frames.tolist())


def test_real_video_bytes_read_back(tmp_path):
    from models.footage.video import read_frames

    image = np.repeat(textured(0)[..., None], 3, axis=2)
    write_video(tmp_path / "a.mp4", [image] * 9, 15.0)
    clip = run(IngestConfig(), Listing("a", tmp_path / "a.mp4", {}), read_frames(tmp_path / "a.mp4"), "00")
    assert np.abs(clip.background.astype(int) - textured(0)).mean() < 4
