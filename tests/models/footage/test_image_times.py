"""Names of images give times where they are plainly times; counters need a rate, and what is unclear is refused."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.footage.image_times import image_times


def told(folder: Path, names: list[str], fps: float | None = None):
    said: list[str] = []
    found = image_times([folder / name for name in sorted(names)], fps, said.append)
    return found, said


@pytest.mark.parametrize(
    ("names", "times", "source", "unusual"),
    [
        (["cam_1500.png", "cam_0.png", "cam_900.png"], [0, 0.9, 1.5], "milliseconds", False),
        (["f_0.000.jpg", "f_0.067.jpg", "f_0.133.jpg"], [0, 0.067, 0.133], "seconds", False),
        (["f_0.jpg", "f_0.5.jpg", "f_1.jpg"], [0, 0.5, 1], "seconds", True),
        (["1700000000123.jpg", "1700000000163.jpg", "1700000000206.jpg"], [0, 0.04, 0.083], "epoch", False),
        (["1700000000.jpg", "1700000001.jpg", "1700000003.jpg"], [0, 1, 3], "epoch", True),
        (["1700000000123456.jpg", "1700000000163456.jpg"], [0, 0.04], "epoch", True),
        (["1700000000123456789.jpg", "1700000000163456789.jpg"], [0, 0.04], "epoch", True),
        (["20240131_235959_960.jpg", "20240201_000000_000.jpg"], [0, 0.04], "date", True),
        (["2024-01-31 23-59-59.jpg", "2024-02-01 00-00-01.jpg"], [0, 2], "date", True),
        (["20240131235959.jpg", "20240201000000.jpg"], [0, 1], "date", True),
        (["0001_1000.png", "0002_1040.png", "0003_1090.png"], [0, 0.04, 0.09], "milliseconds", False),
        (["0_cam2.png", "40_cam2.png", "85_cam2.png"], [0, 0.04, 0.085], "milliseconds", True),
    ],
)
def test_names_that_are_times(tmp_path, names, times, source, unusual):
    found, _ = told(tmp_path, names)
    np.testing.assert_allclose(found.times_s, times, atol=2e-6)
    assert (found.source, found.unusual) == (source, unusual)
    assert sorted(file.name for file in found.files) == sorted(names)
    if len({len(name) for name in names}) == 1:
        assert [file.name for file in found.files] == sorted(names)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (range(1, 20), r"the numbers in the names \(1, 2, …\) are counted, so they give no times"),
        ([1, 2, 3, 7, 8, 9], "are counted"),
        (range(0, 200, 10), r"\(0, 10, …\) may be counted or milliseconds"),
    ],
)
def test_counters_need_a_rate(tmp_path, numbers, words):
    names = [f"frame_{number:04d}.jpg" for number in numbers]
    with pytest.raises(InputError, match=words + r".*say the frames a second in ingest.fps, or write timestamps.csv"):
        told(tmp_path, names)
    found, said = told(tmp_path, names, fps=12.5)
    np.testing.assert_allclose(found.times_s, (np.array(numbers) - numbers[0]) / 12.5)
    assert said == ["images are dated by their names: numbers are counted, 12.5 a second"]
    assert (found.source, found.unusual) == ("counter", True)


@pytest.mark.parametrize(
    "names",
    [
        [f"{side}_{number}.jpg" for side in ("left", "right") for number in range(0, 400, 40)],
        [f"cam{side}_{number}.jpg" for side in (1, 2) for number in range(0, 400, 40)],
        [f"{number}.{suffix}" for suffix in ("jpg", "png") for number in range(0, 400, 40)],
        [f"{side}_20240131_12000{number}.jpg" for side in "ab" for number in range(5)],
    ],
)
def test_two_cameras_in_one_folder_are_refused_by_name(tmp_path, names):
    with pytest.raises(InputError, match=r"holds 2 series of images, such as .* and .*; give each camera a folder"):
        told(tmp_path, names)


def test_a_table_that_mixes_two_cameras_is_refused(tmp_path):
    names = [f"cam{side}_{number}.jpg" for number in range(10) for side in (1, 2)]
    rows = [f"{name},{i * 0.02}" for i, name in enumerate(names)]
    (tmp_path / "timestamps.csv").write_text("\n".join(["file,timestamp_s", *rows]))
    with pytest.raises(InputError, match=r"mixes images of several cameras, such as cam1_\*.jpg and cam2_\*.jpg"):
        told(tmp_path, names)


def test_names_without_any_number_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"plan.jpg: has no timestamp in its name; write timestamps.csv"):
        told(tmp_path, ["0.jpg", "40.jpg", "plan.jpg"])


def test_equal_times_are_left_out_and_said(tmp_path):
    (tmp_path / "timestamps.csv").write_text("file,timestamp_s\na.jpg,0\nb.jpg,0.1\nc.jpg,0.1\n")
    found, said = told(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    assert [file.name for file in found.files] == ["a.jpg", "b.jpg"]
    assert said == ["1 image(s) with the same time as another are left out"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text", ["file,timestamp_s\na.jpg,5\nb.jpg,5.1\n", "file;timestamp_s\r\na.jpg;5\r\nb.jpg;5.1\r\n;\r\n"]
)
def test_tables_as_programs_write_them(tmp_path, text, encoding):
    (tmp_path / "timestamps.csv").write_bytes(text.encode(encoding))
    np.testing.assert_allclose(told(tmp_path, ["a.jpg", "b.jpg"])[0].times_s, [0, 0.1])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("file,timestamp_s\na.jpg,nan\nb.jpg,0.1\n", "line 2: timestamp_s is 'nan', expected a number"),
        ("file,timestamp_s\na.jpg,0\nb.jpg,\n", "line 3: timestamp_s is empty"),
        ("file,timestamp_s\na.jpg,0\na.jpg,1\n", "line 3: a.jpg has a row already"),
        ("file,timestamp_s\na.jpg,0\n", "has no row for b.jpg"),
        ("file,time\na.jpg,0\n", "has no column 'timestamp_s'"),
    ],
)
def test_bad_tables_are_refused_by_line(tmp_path, text, problem):
    (tmp_path / "timestamps.csv").write_text(text)
    with pytest.raises(InputError, match=problem):
        told(tmp_path, ["a.jpg", "b.jpg"])


def test_rates_of_no_camera(tmp_path):
    names = [f"{chr(97 + i)}.jpg" for i in range(10)]

    def write(step):
        rows = [f"{name},{i * step}" for i, name in enumerate(names)]
        (tmp_path / "timestamps.csv").write_text("\n".join(["file,timestamp_s", *rows]))

    write(0.001)
    with pytest.raises(InputError, match="gives 1000 images a second, expected at most 240; write seconds into timest"):
        told(tmp_path, names)
    write(40.0)
    assert told(tmp_path, names)[1] == [
        "has one image every 40 s: if its times are in another unit, write seconds into timestamps.csv"
    ]


def test_dates_across_midnight_keep_their_distances(tmp_path):
    start = datetime(2024, 2, 28, 23, 59, 58)
    stamps = [start + timedelta(milliseconds=125 * i) for i in range(40)]
    names = [f"room1_{stamp:%Y%m%d-%H%M%S}.{stamp.microsecond // 1000:03d}.png" for stamp in stamps]
    found, said = told(tmp_path, names)
    np.testing.assert_allclose(found.times_s, np.arange(40) * 0.125, atol=1e-6)
    assert said == ["images are dated by their names: date and time of day"]
