"""One clip of footage becomes one artefact; what is odd about its reading is in its key and in its record."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.files import file_digest
from models.footage.video_writer import write_video
from pipeline.reconstruct_people import ingest_clip
from pipeline.runner import load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import ingest

PICTURES = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), dtype=np.uint8)


@pytest.fixture
def read(tmp_path):
    """Ingest a file or folder below `footage`; returns its record and what the store has of it."""
    store = Store(tmp_path / "store")

    def run(path: Path, root: Path | None = None, **config):
        settings = Settings({"ingest": config})
        record, reasons = ingest_clip(store, settings, "clip", path, {}, root or tmp_path / "footage")
        assert reasons == []
        found = store.find("ingest", record.ingest)
        assert found is not None
        return record, found.meta, load_value(store, "ingest", record.ingest)["footage"]

    (tmp_path / "footage").mkdir()
    return run


def test_the_key_of_an_ordinary_clip_knows_nothing_of_its_reading(read, tmp_path):
    path = tmp_path / "footage" / "a.mp4"
    write_video(path, PICTURES, 15.0)
    record, _, footage = read(path)
    inputs = {"video": file_digest(path), "clip": "clip", "row": {}, "sidecar": None}
    assert record.ingest == Store(tmp_path / "store").key("ingest", ingest.VERSION, ingest.IngestConfig(), inputs)
    assert record.notes is None and record.summary_row("clip")["notes"] == [] and footage.coded_width_px is None
    assert read(path, fps=3.0)[0].ingest == record.ingest  # it has a clock of its own


def test_an_odd_clock_and_pixels_make_another_key_and_are_said(read, tmp_path):
    path = tmp_path / "footage" / "a.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for image in PICTURES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes() * 2)
    record, meta, footage = read(path)
    assert meta["inputs"]["reading"] == {"pixel_aspect": "4/3", "clock_goes_back": True}
    assert len(footage.timestamps_s) == 40 and (footage.width_px, footage.coded_width_px) == (85, 64)
    assert record.notes is not None and len(record.notes) == 2
    assert record.summary_row("clip")["notes"] == list(record.notes) == meta["figures"]["notes"]


def test_counted_images_are_dated_by_the_config(read, tmp_path):
    folder = tmp_path / "footage" / "night"
    folder.mkdir()
    for number, image in enumerate(PICTURES):
        Image.fromarray(image).save(folder / f"frame_{number:05d}.png")
    with pytest.raises(InputError, match="are counted, so they give no times; say the frames a second in ingest.fps"):
        read(folder)
    record, meta, footage = read(folder, fps=12.5)
    np.testing.assert_allclose(footage.timestamps_s, np.arange(20) / 12.5)
    assert meta["inputs"]["reading"] == {"times": "counter 12.5"} and record.seconds == pytest.approx(19 / 12.5)
    assert read(folder, fps=25.0)[0].ingest != record.ingest


def test_a_folder_of_frames_may_be_all_of_the_footage(read, tmp_path):
    """What lies beside it is not looked at, and what else is put into it changes nothing."""
    root = tmp_path / "frames"
    root.mkdir()
    (tmp_path / "camera.json").write_text("not for us")
    for number, image in enumerate(PICTURES):
        Image.fromarray(image).save(root / f"{number * 40}.png")
    record, _, footage = read(root, root)
    assert footage.path == "." and len(footage.timestamps_s) == 20
    (root / "report.html").write_text("x")
    assert read(root, root)[0].ingest == record.ingest
