"""Videos of recorders, phones and editors: the right stream, by the right clock, shown as the file asks."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.errors import InputError
from models.footage import video_file
from models.footage.video import FrameReader, how_read
from models.footage.video_writer import write_video

SHARED = Path(__file__).parents[4] / "shared" / "inputs" / "video"


def pictures(count=30, size=(48, 64)):
    """A bright square that moves right by two pixels a frame, over noise that no encoder foresees."""
    frames = np.random.default_rng(0).integers(20, 60, (count, *size, 3), dtype=np.uint8)
    for i in range(count):
        frames[i, 10:26, (2 * i) % (size[1] - 16) :][:, :16] = 230
    return frames


def encode(path, frames, codec="libx264", aspect=None, form=None, **options):
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=15, options={key: str(value) for key, value in options.items()})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def read(path, fps=None):
    reader = FrameReader(path, fps)
    frames = list(reader)
    return [time for time, _ in frames], [image for _, image in frames], reader.notes


def columns_of_square(images):
    return [int(image[12:24].mean(axis=(0, 2)).argmax()) for image in images]


def test_an_ordinary_video_is_read_without_a_word(tmp_path):
    for name in ("a.mp4", "a.mkv"):
        write_video(tmp_path / name, pictures(), 15.0)
        assert how_read(tmp_path / name) == {}
        times, images, notes = read(tmp_path / name)
        np.testing.assert_allclose(times, np.arange(30) / 15, atol=1e-3)
        assert notes == [] and len(images) == 30


def test_frames_stored_out_of_order_in_avi_all_come_in_order(tmp_path):
    path = encode(tmp_path / "b.avi", pictures(20), bf=2, crf=10)
    times, images, notes = read(path)
    np.testing.assert_allclose(times, np.arange(20) / 15, atol=1e-6)
    bright = [int(image[10:26].mean(axis=(0, 2)).round().argmax()) for image in images]
    assert np.all(np.abs(np.array(bright) - 2 * np.arange(20)) < 16)
    assert how_read(path) == {"clock": "decoding"} and len(notes) == 1 and "decoding times are used" in notes[0]


def test_a_raw_stream_is_dated_by_its_rate_or_by_the_one_given(tmp_path):
    path = encode(tmp_path / "recorder.mp4", pictures(), form="h264")
    times, _, notes = read(path)
    np.testing.assert_allclose(times, np.arange(30) / 15)
    assert notes == ["has no timestamps: dated by the stream's rate, 15 frames a second"]
    assert how_read(path) == {"clock": "rate 15"}
    times, _, notes = read(path, fps=12.5)
    np.testing.assert_allclose(times, np.arange(30) / 12.5)
    assert notes == ["has no clock: dated by ingest.fps, 12.5 frames a second"]
    assert how_read(path, 12.5) == {"clock": "rate 25/2"}


def test_joined_segments_are_read_to_the_end(tmp_path):
    segment = encode(tmp_path / "a.ts", pictures(12))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(segment.read_bytes() * 3)
    times, images, notes = read(joined)
    np.testing.assert_allclose(times, np.arange(36) / 15, atol=1e-4)
    assert len(images) == 36 and how_read(joined) == {"clock_goes_back": True} and how_read(segment) == {}
    assert len(notes) == 1 and notes[0].startswith("the clock starts again 2 times, first after frame 11 at 0.733 s")


def test_a_video_that_breaks_is_used_up_to_the_break(tmp_path):
    path = tmp_path / "a.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), dtype=np.uint8)
    write_video(path, frames, 15.0)
    whole = read(path)[1]
    content = bytearray(path.read_bytes())
    middle = len(content) * 55 // 100
    content[middle : middle + 20000] = bytes(20000)
    path.write_bytes(content)
    times, images, notes = read(path)
    assert 20 < len(times) < 40 and all(np.array_equal(*pair) for pair in zip(images[:20], whole[:20], strict=True))
    last = len(times) - 1
    assert notes[0] == (
        f"breaks after frame {last} at {times[-1]:.3f} s (Invalid data found when processing input): it is used up to "
        "there"
    )
    assert [time for time, _ in FrameReader(path)] == times  # as often as it is read


@pytest.mark.parametrize(
    ("suffix", "codec"), [("avi", "mjpeg"), ("mkv", "ffv1"), ("ts", "libx264"), ("mpg", "mpeg2video")]
)
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_file_cut_off_anywhere_gives_what_it_has(tmp_path, suffix, codec, share):
    """Whoever looks at packets beforehand stops where the file does."""
    frames = np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), dtype=np.uint8)
    path = encode(tmp_path / f"a.{suffix}", frames, codec=codec)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    times, images, _ = read(path)
    assert how_read(path) == {} and 60 * share - 15 < len(images) <= 60 * share + 5
    assert [time for time, _ in FrameReader(path)] == times


def test_a_video_that_was_cut_off_is_said_to_be_shorter(tmp_path):
    path = tmp_path / "a.mkv"
    write_video(path, np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), dtype=np.uint8), 15.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    times, _, notes = read(path)
    assert 20 < len(times) < 40
    assert notes == [f"ends at {times[-1]:.3f} s, its header says 4.000 s: it may be cut off"]


def test_cover_art_is_not_the_film(tmp_path):
    path = tmp_path / "cover.mkv"
    cover, film = np.full((48, 64, 3), 200, np.uint8), pictures(90)
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=15) for codec in ("mjpeg", "libx264")]
        for stream, pixels in zip(streams, ("yuvj420p", "yuv420p"), strict=True):
            stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
        container.mux(streams[0].encode(av.VideoFrame.from_ndarray(cover, format="rgb24")))
        for image in film:
            container.mux(streams[1].encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    times, images, notes = read(path)
    assert len(times) == 90 and abs(images[0].mean() - film[0].mean()) < 10
    assert notes == ["1 picture(s) in the file (cover art) are no part of the film"] and how_read(path) == {"track": 1}


def test_of_two_video_tracks_the_first_is_read_and_the_other_said(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=15) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(20):
            for stream, grey in zip(streams, (40, 200), strict=True):
                image = np.full((48, 64, 3), grey + number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    _, images, notes = read(path)
    assert images[0].mean() < 60 and how_read(path) == {}
    assert notes == ["has 2 video tracks: the first is read, the others are not"]


def test_pixels_that_are_not_square_are_resampled(tmp_path):
    path = encode(tmp_path / "pal.mp4", pictures(), aspect=Fraction(16, 11))
    reader = FrameReader(path)
    _, image = next(iter(reader))
    assert image.shape == (48, round(64 * 16 / 11), 3) and reader.coded_size == (64, 48)
    assert how_read(path) == {"pixel_aspect": "16/11"}
    bright = np.flatnonzero(image[18, :, 0] > 130)  # the square: 16 pixels, each 16/11 wide
    assert bright[0] <= 2 and abs(len(bright) - 16 * 16 / 11) <= 2
    assert "resampled to square pixels" in reader.notes[0]


def test_an_impossible_pixel_aspect_is_not_believed(tmp_path):
    path = encode(tmp_path / "odd.mp4", pictures(), aspect=Fraction(10, 1))
    _, images, notes = read(path)
    assert images[0].shape == (48, 64, 3) and how_read(path) == {}
    assert notes == ["says that pixels are 10 times as wide as high: they are taken to be square"]


ONE = 0x10000


@pytest.mark.parametrize(
    ("matrix", "corner", "mirrored"),
    [
        ((ONE, 0, 0, ONE), (0, 0), False),
        ((0, ONE, -ONE, 0), (0, 1), False),  # a quarter turn clockwise
        ((-ONE, 0, 0, -ONE), (1, 1), False),
        ((0, -ONE, ONE, 0), (1, 0), False),
        ((-ONE, 0, 0, ONE), (0, 1), True),  # left for right
        ((ONE, 0, 0, -ONE), (1, 0), True),  # upside down
        ((0, ONE, ONE, 0), (0, 0), True),
        ((0, -ONE, -ONE, 0), (1, 1), True),
    ],
)
def test_display_matrices_turn_and_mirror(tmp_path, matrix, corner, mirrored):
    """A bright patch in the upper left of what is stored comes out in the corner that the matrix sends it to."""
    path = tmp_path / "phone.mp4"
    frames = np.full((4, 48, 64, 3), 30, np.uint8)
    frames[:, :16, :16] = 230
    write_video(path, frames, 15.0)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    a, b, c, d = matrix
    values = [a, b, 0, c, d, 0, 0, 0, 0x40000000]
    content[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(content)
    reader = FrameReader(path)
    shown = next(iter(reader))[1]
    assert shown.shape == ((48, 64, 3) if a else (64, 48, 3)) and reader.coded_size == (shown.shape[1], shown.shape[0])
    bright = {(row, column) for row in (0, 1) for column in (0, 1) if shown[-row, -column].mean() > 180}
    assert bright == {corner} and how_read(path) == ({"mirrored": True} if mirrored else {})


def test_a_title_in_another_encoding_harms_nothing(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "XXXX"
        stream = container.add_stream("mpeg4", rate=15)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for image in pictures(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    content = path.read_bytes()
    assert content.count(b"XXXX") == 1
    path.write_bytes(content.replace(b"XXXX", b"K\xfcch"))
    assert len(read(path)[0]) == 10 and how_read(path) == {}


@pytest.mark.parametrize("name", ["-x.mp4", "a b#c%20d.mp4", "né\nw.mp4", "a:b.mp4", "concat:x|y.mp4", "%03d.mp4"])
def test_names_with_odd_characters_are_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "plain.mp4", pictures(10), 15.0)
    (tmp_path / "plain.mp4").rename(tmp_path / name)
    assert len(read(Path(name))[0]) == 10


def test_a_clock_faster_than_any_camera_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "fast.mp4"
    write_video(path, pictures(), 1000.0)
    with pytest.raises(InputError, match="gives 1000 frames a second, expected at most 240; say its true rate in i"):
        how_read(path)
    times, _, notes = read(path, fps=20.0)
    np.testing.assert_allclose(times, np.arange(30) / 20)
    assert notes == ["has no clock: dated by ingest.fps, 20 frames a second"]


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_colours_are_those_of_the_files_matrix_and_range(tmp_path, matrix, full_range):
    """BT.709, BT.601 and BT.2020, with luma from 16 to 235 or from 0 to 255, give the same colour."""
    path, levels = tmp_path / "a.mp4", 2 if full_range else 1
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, levels
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (220, 30, 90), np.uint8), format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=levels)))
        container.mux(stream.encode())
    image = next(iter(FrameReader(path)))[1]
    assert np.abs(image[20, 30].astype(int) - (220, 30, 90)).max() <= 3


def test_interlaced_and_hdr_pictures_are_said(tmp_path):
    path = encode(tmp_path / "a.mp4", pictures(10), **{"x264-params": "interlaced=1:transfer=smpte2084"})
    assert read(path)[2] == [
        "is interlaced: what moves has combed edges",
        "is HDR (PQ): its colours are used as they are, so they look pale",
    ]


def test_pictures_too_large_to_read_are_refused(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", pictures(10), 15.0)
    monkeypatch.setattr(video_file, "LARGEST_PX", 1000)
    with pytest.raises(InputError, match="has pictures of 64x48, too large to read"):
        read(tmp_path / "a.mp4")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the inputs of other programs are not here")
@pytest.mark.parametrize(
    "name", ["bframes.avi", "rawh264_named.mp4", "latin1title.avi", "coverfirst.mkv", "sar1611.mp4"]
)
def test_files_of_other_programs_give_all_their_frames(name):
    times, images, _ = read(SHARED / name)
    np.testing.assert_allclose(times, np.arange(30) / 15, atol=2e-3)
    assert images[0].shape == (120, 233 if name == "sar1611.mp4" else 160, 3)
