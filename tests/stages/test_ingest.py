import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from models.errors import InputError, Rejected
from models.footage.listing import Listing
from models.footage.video import FrameReader
from models.footage.video_writer import write_video
from stages.ingest import THUMBNAILS_BYTES, Clip, IngestConfig, assign_cameras, run


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
    with pytest.raises(Rejected, match=r"too short: 1 frame\(s\), at least 8 \(ingest.min_frames\) are needed"):
        run(IngestConfig(), Listing("a", Path("a.mp4"), {}), [(0.0, np.zeros((48, 64, 3), np.uint8))], "00")


@pytest.mark.parametrize("size", [(2, 4000), (4000, 2), (12, 12), (40, 500)])
def test_a_picture_that_is_no_view_of_a_room_is_set_aside(size):
    frames = [(i / 15, np.zeros((*size, 3), np.uint8)) for i in range(10)]
    with pytest.raises(Rejected, match=f"no view of a room: it is {size[1]}x{size[0]} px, expected sides of 16 px"):
        run(IngestConfig(), Listing("a", Path("a.mp4"), {}), frames, "00")


def test_a_size_that_changes_is_said_with_its_frame():
    frames = [(i / 15, np.zeros((48 if i < 5 else 64, 64, 3), np.uint8)) for i in range(10)]
    with pytest.raises(Rejected, match="size changes within the clip: frame 5 is 64x64, those before 64x48"):
        run(IngestConfig(), Listing("a", Path("a.mp4"), {}), frames, "00")


def test_a_clock_faster_than_any_camera_is_refused():
    frames = [(i / 1000, np.zeros((48, 64, 3), np.uint8)) for i in range(10)]
    with pytest.raises(InputError, match="a.mp4: gives 1000 frames a second, expected at most 240; say its true rate"):
        run(IngestConfig(), Listing("a", Path("a.mp4"), {}), frames, "00")


def test_a_long_clip_is_read_again_and_gives_the_same(monkeypatch):
    """However many small pictures fit into memory, the background is the median of the same frames."""
    frames = [(i / 15, np.repeat(textured(i, (48, 64))[..., None], 3, axis=2)) for i in range(40)]
    listing = Listing("a", Path("a.mp4"), {})
    whole = run(IngestConfig(), listing, frames, "00")
    monkeypatch.setattr("stages.ingest.THUMBNAILS_BYTES", 10 * 640 * 480)
    again = run(IngestConfig(), listing, frames, "00")
    np.testing.assert_array_equal(whole.background, again.background)
    assert whole.key_frames.tolist() == again.key_frames.tolist()


def test_memory_does_not_grow_with_the_clip():
    """Of a clip of any length, the small pictures that are kept stay within their bound."""
    import tracemalloc

    class Still:
        def __iter__(self):
            image = np.zeros((48, 64, 3), np.uint8)
            return ((i / 15, image) for i in range(2000))

    tracemalloc.start()
    run(IngestConfig(), Listing("a", Path("a.mp4"), {}), Still(), "00")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < THUMBNAILS_BYTES + 64 * 2**20 < 2000 * 640 * 480


def test_pixels_that_are_not_square_and_odd_clocks_are_in_the_record(tmp_path):
    with av.open(str(tmp_path / "a.ts"), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for _ in range(9):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")))
        container.mux(stream.encode())
    (tmp_path / "b.ts").write_bytes((tmp_path / "a.ts").read_bytes() * 2)
    clip = run(IngestConfig(), Listing("b", tmp_path / "b.ts", {}), FrameReader(tmp_path / "b.ts"), "00")
    footage = clip.footage
    assert (footage.width_px, footage.height_px, footage.coded_width_px, footage.coded_height_px) == (85, 48, 64, 48)
    np.testing.assert_allclose(footage.timestamps_s, np.arange(18) / 15, atol=1e-4)
    assert "resampled to square pixels" in clip.notes[0] and "the clock starts again once" in clip.notes[1]


def test_what_was_found_while_reading_says_why_a_clip_is_short(tmp_path):
    write_video(tmp_path / "a.mp4", np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), dtype=np.uint8), 15.0)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20000] = bytes(20000)
    (tmp_path / "a.mp4").write_bytes(content)
    config = IngestConfig(min_frames=50)
    with pytest.raises(
        Rejected, match=r"too short: \d+ frame\(s\), at least 50 .* are needed; breaks after frame \d+ at"
    ):
        run(config, Listing("a", tmp_path / "a.mp4", {}), FrameReader(tmp_path / "a.mp4"), "00")


def test_the_rate_of_undated_sources_is_in_no_key_but_theirs():
    assert IngestConfig(fps=12.5).key_values() == IngestConfig().key_values()


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
