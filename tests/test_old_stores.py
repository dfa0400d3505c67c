"""A store that an older version wrote is found: of it is made anew only what is made otherwise now, whatever has been
moved or renamed since.

`data/store_of_version_0_1.zip` holds footage of one clip, the store made of it, its config and its order, written
before the layout of the code changed.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.runner import load_value
from pipeline.store import Store

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(Path(__file__).parent / "data" / "store_of_version_0_1.zip") as archive:
        archive.extractall(folder)
    return folder


def careclips(*arguments: object) -> dict:
    command = [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def artefacts(store: Path) -> set[str]:
    return {str(meta.parent.relative_to(store)) for meta in store.glob("*/*/meta.json")}


def test_every_artefact_is_read(old):
    store = Store(old / "store")
    found = sorted(artefacts(old / "store"))
    assert {name.split("/")[0] for name in found} == {
        "ingest",
        "cameras",
        "people2d",
        "plate",
        "calibrate",
        "depth",
        "room",
        "people3d",
        "clip",
    }
    for name in found:
        assert load_value(store, *name.split("/")) is not None


def test_what_no_plate_hangs_on_is_not_made_anew(old, tmp_path):
    """Plates of before were made of frames that nobody had looked at: they are made anew, with what is made of them,
    once."""
    shutil.copytree(old / "store", tmp_path / "store")
    before = artefacts(tmp_path / "store")
    command = ("reconstruct", old / "footage", "--out", tmp_path / "store", "--config", old / "config.yaml")
    assert [room["recomputed"] for room in careclips(*command)["rooms"]] == [True]
    made = artefacts(tmp_path / "store")
    assert before <= made
    assert not {name for name in made - before if name.split("/")[0] in ("ingest", "cameras", "people2d")}
    again = careclips(*command)
    assert [one["recomputed"] for one in (*again["rooms"], *again["clips"])] == [False, False]
    assert artefacts(tmp_path / "store") == made
    generate = ("generate", "--store", tmp_path / "store", "--order", old / "order.yaml", "--count", 1)
    for recomputed in (1, 0):
        done = careclips(*generate, "--out", tmp_path / "dataset", "--config", old / "config.yaml")
        assert (done["accepted"], done["recomputed"]) == (1, recomputed)
