from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.footage.video import read_frames, read_frames_at
from models.footage.video_writer import write_video


def moving_square(n=12, size=(48, 64)):
    frames = np.full((n, *size, 3), 40, np.uint8)
    for i in range(n):
        frames[i, 10:20, 4 * i : 4 * i + 10] = (220, 30, 30)
    return frames


def test_round_trip_keeps_times_colours_and_sides(tmp_path):
    path = tmp_path / "a.mp4"
    frames = moving_square()
    write_video(path, frames, 15.0)
    back = list(read_frames(path))
    np.testing.assert_allclose([time for time, _ in back], np.arange(12) / 15, atol=1e-4)
    assert np.abs(back[5][1][12:18, 22:28].astype(int).mean((0, 1)) - [220, 30, 30]).max() < 12  # RGB, not BGR
    assert back[5][1][15, 5, 0] < 80 < back[5][1][15, 25, 0]
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert container.streams.video[0].codec_context.name == "h264"


def test_variable_frame_rate_keeps_true_times(tmp_path):
    path = tmp_path / "vfr.mkv"
    times_ms = [0, 40, 200, 233, 900]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, image in zip(times_ms, moving_square(5), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    np.testing.assert_allclose([t for t, _ in read_frames(path)], np.array(times_ms) / 1000, atol=2e-3)


def test_some_frames_by_number(tmp_path):
    write_video(tmp_path / "a.mp4", moving_square(), 15.0)
    every = [frame for _, frame in read_frames(tmp_path / "a.mp4")]
    some = read_frames_at(tmp_path / "a.mp4", [7, 2])
    assert sorted(some) == [2, 7]
    np.testing.assert_array_equal(some[7], every[7])


def test_a_folder_of_images_with_timestamps(tmp_path):
    frames = moving_square(3)
    for name, frame in zip(["cam_1500.png", "cam_0.png", "cam_900.png"], frames, strict=True):
        Image.fromarray(frame).save(tmp_path / name)
    back = list(read_frames(tmp_path))
    assert [time for time, _ in back] == [0.0, 0.9, 1.5]
    np.testing.assert_array_equal(back[2][1], frames[0])
    (tmp_path / "timestamps.csv").write_text("file,timestamp_s\ncam_0.png,5\ncam_900.png,6\n")
    with pytest.raises(InputError, match="has no row for cam_1500.png"):
        list(read_frames(tmp_path))


def test_bad_files(tmp_path):
    empty, text, cut = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "cut.mp4"
    empty.touch()
    text.write_text("this is no video")
    write_video(tmp_path / "a.mp4", moving_square(), 15.0)
    cut.write_bytes((tmp_path / "a.mp4").read_bytes()[:600])
    with pytest.raises(InputError, match=r"empty.mp4: is empty \(0 bytes\); copy the video again"):
        list(read_frames(empty))
    for path in (text, cut):
        with pytest.raises(InputError, match="is not a whole video that FFmpeg can read"):
            list(read_frames(path))


def test_a_rotated_phone_video_is_turned_upright(tmp_path):
    """A phone stores the sensor's landscape picture and a matrix in the track header: a quarter turn clockwise to
    show."""
    path = tmp_path / "phone.mp4"
    frames = np.full((4, 48, 64, 3), 30, np.uint8)
    frames[:, :16, :16] = 230  # upper left of what is stored, so upper right of what is shown
    write_video(path, frames, 15.0)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    one, minus_one = 0x10000, -0x10000
    values = [0, one, 0, minus_one, 0, 0, 48 * one, 0, 0x40000000]
    content[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(content)
    shown = next(read_frames(path))[1]
    assert shown.shape == (64, 48, 3)
    assert shown[4, 44].mean() > 180 and shown[4, 4].mean() < 80 and shown[60, 44].mean() < 80
