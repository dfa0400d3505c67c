"""`careclips demo` and `careclips evaluate` from end to end on footage whose names tell who is seen: falls are made,
the gain is measured, and no name is in what is shared."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
CONFIG = """
run: {workers: 1, plate_samples: 12}
sample_footage: {rooms: 2, clips_per_room: 2, seconds: 4.5, fps: 10, width_px: 320, height_px: 240, two_people: 0.0}
calibrate: {bootstrap_replicates: 10}
people3d: {fit: {steps: 40, last_steps: 10}}
evaluate: {trees: 20, bootstraps: 20}
serve: {footage: /data/Sonnenhof}
"""
ORDER = """
events: [{event: fall, seconds: 4}, {event: stand, seconds: 3}, {event: walk, source: procedural, seconds: 3}]
rooms: [Haus Sonnenhof/Zimmer 12/Kamera Frau Meier, Haus Sonnenhof/Zimmer 14/Kamera Herr Huber]
fps: 10
attempts_per_clip: 20
"""
TELLING = ("meier", "huber", "sonnenhof", "zimmer", "kamera", "schulze", "inkontinenz")
"""Words of the names of files, of rooms and cameras, and of a sidecar."""


def careclips(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def rename(footage: Path) -> None:
    """Give the files and people of sample footage names as a care home might, and add a clip that cannot be read."""
    rows = list(csv.DictReader((footage / "footage.csv").open()))
    names = {"room_01": ("Zimmer 12", "Kamera Frau Meier"), "room_02": ("Zimmer 14", "Kamera Herr Huber")}
    table = [["path", "site", "room", "camera"]]
    for number, row in enumerate(rows):
        path = Path(row["path"])
        room, camera = names[path.parent.name]
        folder = footage / "Haus Sonnenhof" / room
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f"{camera.removeprefix('Kamera ')} {number}.mp4"
        (footage / path).rename(new)
        sidecar = footage / path.parent / "annotations.json"
        text = sidecar.read_text().replace(path.name, new.name).replace('"person_0"', '"Schulze, Inkontinenz"')
        sidecar.write_text(text)
        table.append([str(new.relative_to(footage)), "Haus Sonnenhof", room, camera])
    for old, (room, _) in names.items():
        next(footage.glob(f"*/{old}/annotations.json")).rename(footage / "Haus Sonnenhof" / room / "annotations.json")
    (footage / "Herr Schulze nackt.mp4").write_bytes(b"no video")
    table.append(["Herr Schulze nackt.mp4", "Haus Sonnenhof", *names["room_01"]])
    with (footage / "footage.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(table)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "order.yaml").write_text(ORDER)
    config = ("--config", folder / "config.yaml")
    careclips("sample-footage", "--out", folder / "footage", *config)
    rename(folder / "footage")
    more = ("--footage", folder / "footage", "--order", folder / "order.yaml", "--count", 8)
    careclips("demo", "--out", folder / "out", *more, *config)
    return folder


def test_falls_are_made_by_physics_and_a_gain_is_measured(shown):
    out = shown / "out"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["rooms"] == 2 and summary["clips"] == 4 and summary["people"] >= 4
    assert summary["accepted"] >= 6 and set(summary["sources"]) == {"physics", "motion model", "procedural"}
    rows = pd.read_parquet(out / "dataset" / "frames.parquet")
    falls = rows[rows["action"] == "fall"]["clip"].nunique()
    assert falls == summary["sources"]["physics"] >= 1
    value, low, high = summary["gain"]
    assert low <= value <= high and summary["verdict"] != "not measured"


def test_evaluate_by_itself_gives_the_same_gain(shown):
    out, config = shown / "out", ("--config", shown / "config.yaml")
    careclips(
        "evaluate", "gain", "--real", out / "store", "--synthetic", out / "dataset", "--out", out / "again", *config
    )
    again, before = (json.loads((out / name / "summary.json").read_text()) for name in ("again", "evaluation"))
    assert again["gain"] == before["gain"] and again["real"].endswith("store")
    assert again["rooms"] == sorted(json.loads((out / "store" / "index.json").read_text())["rooms"])
    assert json.loads((out / "dataset" / "evaluation.json").read_text())["rooms"] == 2
    assert "Gain of adding the synthetic clips" in (out / "dataset" / "report.html").read_text()


def test_no_name_of_the_footage_is_in_the_dataset(shown):
    """In no byte, packed or not."""
    dataset, store = shown / "out" / "dataset", shown / "out" / "store"
    pseudonyms = json.loads((store / "pseudonyms.json").read_text())
    assert "Meier" in str(pseudonyms) and "Zimmer" in (store / "summary.json").read_text()  # what the search would find
    searched = 0
    for file in sorted(dataset.rglob("*")):
        texts = [str(file.relative_to(dataset))]
        if file.is_file():
            texts.append(file.read_bytes().decode("latin-1"))
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as data:
                texts += [f"{name} {data[name]}" for name in data.files if data[name].dtype.kind in "US"]
        if file.suffix == ".parquet" and file.is_file():
            texts.append(pd.read_parquet(file).select_dtypes(exclude="number").drop_duplicates("clip").to_string())
        for text in texts:
            searched += 1
            found = [word for word in (*TELLING, str(shown)) if word.lower() in text.lower()]
            assert not found, f"{file.relative_to(dataset)} holds {found}"
    assert searched > 50
    facts = json.loads((dataset / "dataset.json").read_text())
    assert facts["order"]["rooms"] == ["room_1/camera_1", "room_2/camera_2"] and len(facts["rooms"]) == 2
    assert facts["reconstruction"]["rejected"] == [{"item": "source_5"}]
    assert "source_5" in (dataset / "report.html").read_text()
