"""A store that an older version wrote is found: nothing of it is made anew, whatever has been moved or renamed since.

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

from models.body.model import load_body
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


def test_nothing_is_made_anew(old, tmp_path):
    shutil.copytree(old / "store", tmp_path / "store")
    before = artefacts(tmp_path / "store")
    made_with = json.loads(next((old / "store" / "people3d").glob("*/meta.json")).read_text())["inputs"]["body"]
    summary = careclips("reconstruct", old / "footage", "--out", tmp_path / "store", "--config", old / "config.yaml")
    assert [room["recomputed"] for room in summary["rooms"]] == [False]
    # Another processor may bake another body in the last bit: what hangs on it is rightly made anew there.
    same_body = load_body().digest == made_with
    assert [clip["recomputed"] for clip in summary["clips"]] == [not same_body]
    if same_body:
        # Where motion came from when nothing was said.
        config = old / "config_of_then.yaml"
        config.write_text((old / "config.yaml").read_text().replace("run: {", "run: {motion: model, "))
        made = careclips(
            "generate",
            "--store",
            tmp_path / "store",
            "--order",
            old / "order.yaml",
            "--count",
            1,
            "--out",
            tmp_path / "dataset",
            "--config",
            config,
        )
        assert (made["accepted"], made["recomputed"]) == (1, 0)
        assert artefacts(tmp_path / "store") == before
