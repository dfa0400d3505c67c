"""Two hundred spoiled inputs: each is one line, the good clip among them comes through, and nothing else is touched."""

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.body.model import load_body
from models.errors import InputError, Rejected
from models.footage.action_labels import read_mapping, read_segments
from models.footage.listing import list_footage
from models.footage.video_writer import write_video
from models.mocap.bvh import read_bvh, write_bvh
from models.mocap.export import track_bvh
from models.order import read_order_form
from models.types import PersonTrack
from pipeline.settings import CONFIGS, read_settings

ROOT = Path(__file__).parents[1]
ARCHIVE = Path(__file__).parent / "data" / "store_of_version_0_1.zip"
GOOD = "home_a/room_01/clip_01.mp4"
CONFIG = """
run: {workers: 2, plate_samples: 12}
calibrate: {bootstrap_replicates: 10}
people3d: {fit: {steps: 60, last_steps: 15}}
"""
NAMES = (
    *(" leading and trailing ", "-dash", "--out", "#hash", "100%", "a&b;c|d", 'quote\'s "double"', "$HOME", "`date`"),
    *(
        "new\nline",
        "tab\tstop",
        "back\\slash",
        "Küche",
        "ไทย",
        "שלום",
        "😀",
        "a__b",
        ".hidden.",
        "...",
        "x" * 200,
        "*?[]",
    ),
    *("con", "{brace}", "<angle>", "\x7f\x01", os.fsdecode(b"latin\xfc")),
)


def spoil(content: bytes, rng: random.Random) -> bytes:
    """Cut a file short, flip bits, blank a block, drop one, or put rubbish in."""
    where = rng.randrange(1, max(len(content), 2))
    size = rng.randrange(1, 1 + max(len(content) // 4, 1))
    kind = rng.randrange(5)
    if kind == 0:
        return content[:where]
    if kind == 1:
        flipped = bytearray(content)
        for _ in range(rng.choice([1, 5, 50])):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if kind == 2:
        return content[:where] + bytes(size) + content[where + size :]
    if kind == 3:
        return content[:where] + content[where + size :]
    return content[:where] + rng.randbytes(size) + content[where:]


def spoil_values(value, rng: random.Random):
    """Exchange one value somewhere in a tree of JSON-like values for something odd, or drop it."""
    odd = rng.choice([None, -1, 1e300, "", "text", [], {}, [[]], True, "3", 2**70, [1, [2]], {"a": 1}])
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.15:
            return {name: one for name, one in value.items() if name != key}
        return value | {key: spoil_values(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        index = rng.randrange(len(value))
        return [*value[:index], spoil_values(value[index], rng), *value[index + 1 :]]
    return odd


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> tuple[Path, int]:
    """A good clip with its sidecar, and what is spoiled around it; how many things are spoiled."""
    folder = tmp_path_factory.mktemp("spoiled")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("footage/home_a/")])
    root, rng, count = folder / "footage", random.Random(0), 0
    good = (root / GOOD).read_bytes()
    sidecar = json.loads((root / "home_a/room_01/annotations.json").read_text())
    for entry in sidecar["images"]:
        entry["file_name"] = "clip.mp4"
    picture = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    write_video(folder / "small.mp4", [picture] * 12, 10.0)
    small = (folder / "small.mp4").read_bytes()
    camera = {"intrinsics": [[300, 0, 79.5], [0, 300, 59.5], [0, 0, 1]], "width_px": 160, "height_px": 120}

    def place(name: str) -> Path:
        (root / name).mkdir(parents=True)
        return root / name

    for number in range(30):
        suffix = rng.choice([".mp4", ".mkv", ".avi", ".MTS", ".h264"])
        (place(f"videos/{number}") / f"v{suffix}").write_bytes(spoil(rng.choice([good, small]), rng))
        count += 1
    for number in range(15):
        where = place(f"sidecars/{number}")
        (where / "clip.mp4").write_bytes(small)
        text = json.dumps(spoil_values(spoil_values(sidecar, rng), rng)).encode()
        (where / "annotations.json").write_bytes(text if number % 3 else spoil(text, rng))
        count += 1
    for number in range(15):
        where = place(f"cameras/{number}")
        (where / "clip.mp4").write_bytes(small)
        text = json.dumps(spoil_values(camera | {"T_world_camera": np.eye(4).tolist()}, rng)).encode()
        (where / "camera.json").write_bytes(text if number % 3 else spoil(text, rng))
        count += 1
    for number in range(15):
        where = place(f"frames/{number}")
        for frame in range(10):
            Image.fromarray(picture).save(where / f"{frame / 10.0:.2f}.png")
        broken = where / f"{rng.randrange(10) / 10.0:.2f}.png"
        broken.write_bytes(spoil(broken.read_bytes(), rng))
        if number % 3 == 0:
            rows = "file,timestamp_s\n" + "".join(f"{frame / 10.0:.2f}.png,{frame / 10.0}\n" for frame in range(10))
            (where / "timestamps.csv").write_bytes(spoil(rows.encode(), rng))
        count += 1
    names = place("names")
    for name in NAMES:
        (names / f"{name.replace('/', '_')}.mp4").write_bytes(small)
        count += 1
    return root, count


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_hundred_spoiled_files_cost_only_themselves(footage, tmp_path):
    root, count = footage
    assert count >= 100
    (tmp_path / "config.yaml").write_text(CONFIG)
    before = tree(root.parent)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CARECLIPS_CACHE": str(tmp_path / "cache")}
    arguments = ["reconstruct", str(root), "--out", str(tmp_path / "out" / "store"), "--config", "config.yaml"]
    command = [sys.executable, "-m", "pipeline.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment, timeout=900)
    shown = done.stderr.decode(errors="surrogateescape")
    assert done.returncode == 0, shown[-3000:] + (tmp_path / "out/store/tracebacks.txt").read_text()[-5000:]
    summary = json.loads(done.stdout)
    good = {row["clip"]: row for row in summary["clips"]}["home_a__room_01__clip_01"]
    assert good["people"] == 1 and good["reprojection_px_median"] < 5.0 and len(summary["rooms"]) >= 1
    assert summary["defects"] == [] and "Traceback" not in shown
    assert all("\n" not in one["reason"] and one["reason"] for one in summary["skipped"])
    known = {one["item"] for one in summary["skipped"]} | {row["clip"] for row in summary["clips"]}
    hidden = [name for name in NAMES if name.startswith(".")]
    assert len([name for name in known if name.startswith("names")]) == len(NAMES) - len(hidden)
    assert summary["passed_over"]["(hidden)"] == len(hidden)
    assert sum(summary["passed_over"].values()) + len(known) >= count
    assert tree(root.parent) == before
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "cache", "out"}


ORDER = (CONFIGS / "falls.yaml").read_bytes()
SETTINGS = (
    b"run: {workers: 2, motion: mixed}\nserve: {cron: '0 1 * * *'}\nrender: {noise: 1.0}\ningest: {min_frames: 8}\n"
)
FOOTAGE_CSV = b"path,site,room,camera,start,labels\na.mp4,h,r,k,2026-01-01T00:00:00,fall\nb.mp4,h,r,k,,\n"
LABELS = b"path,label,start,end\na.mp4,fall,0.0,2.5\nb.mp4,walk,0,4\n"
EVENTS = b"path,fall_onset_s,at_rest_s\na.mp4,0.5,1.75\n"


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """Readers of single files: a good file's bytes, and what reads a path."""
    folder = tmp_path_factory.mktemp("readers")
    (folder / "a.mp4").write_bytes(b"x")
    (folder / "b.mp4").write_bytes(b"x")
    body = load_body(None)
    still = np.zeros((4, 3))
    track = PersonTrack("p", "person", np.zeros(10), still, np.zeros((4, 69)), still, np.ones(4, bool), np.ones(4))
    write_bvh(track_bvh(body, track, np.arange(4) / 20.0), folder / "good.bvh")
    mapping = read_mapping(CONFIGS / "labels" / "omnifall.yaml")
    (folder / "labels.csv").write_bytes(LABELS)

    def footage_table(path: Path) -> None:
        os.replace(path, folder / "footage.csv")
        list_footage(folder)

    return folder, (
        ("o.yaml", ORDER, read_order_form),
        ("c.yaml", SETTINGS, lambda path: read_settings(path, 0)),
        ("f.csv", FOOTAGE_CSV, footage_table),
        ("l.csv", LABELS, lambda path: read_segments(path, mapping)),
        ("e.csv", EVENTS, lambda path: read_segments(folder / "labels.csv", mapping, path)),
        ("m.bvh", (folder / "good.bvh").read_bytes(), read_bvh),
    )


def test_a_hundred_spoiled_texts_are_read_or_refused_in_one_line(readers):
    folder, kinds = readers
    rng, refused = random.Random(1), 0
    for number in range(102):
        name, content, read = kinds[number % len(kinds)]
        spoiled = spoil(content, rng)
        (folder / name).write_bytes(spoiled)
        try:
            read(folder / name)
        except (InputError, Rejected) as error:
            refused += 1
            assert "\n" not in str(error), (name, spoiled)
        except Exception as error:
            raise AssertionError(f"{name} {spoiled[:2000]!r}") from error
    assert refused > 20
