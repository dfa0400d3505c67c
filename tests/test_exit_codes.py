"""Exit codes: 0 done, 1 nothing could be done or a user's mistake, 3 done but a defect of careclips was met."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ARCHIVE = Path(__file__).parent / "data" / "store_of_version_0_1.zip"
CONFIG = {
    "run": {"workers": 1, "plate_samples": 12},
    "calibrate": {"bootstrap_replicates": 10},
    "people3d": {"fit": {"steps": 60, "last_steps": 15}},
}
SPOILED = """
import pipeline.environment
from stages import ingest
work = ingest.run
def spoiled(config, listing, *more):
    if listing.clip == "bad":
        return {}["a defect"]
    return work(config, listing, *more)
ingest.run = spoiled
from pipeline.cli.main import main
main()
"""


@pytest.fixture
def here(tmp_path):
    """A folder with footage of one good clip and one that is called bad, and a config."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("footage/home_a/")])
    shutil.copy(tmp_path / "footage/home_a/room_01/clip_01.mp4", tmp_path / "footage/bad.mp4")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


def careclips(here, *arguments, program="from pipeline.cli.main import main\nmain()"):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CARECLIPS_CACHE": str(here / "cache")}
    environment |= {"PREFECT_HOME": str(here / "prefect")}
    command = [sys.executable, "-c", program, *map(str, arguments), "--config", "config.yaml"]
    return subprocess.run(command, capture_output=True, text=True, cwd=here, env=environment, timeout=600)


def test_a_defect_costs_its_item_and_is_told_at_the_end(here):
    done = careclips(here, "reconstruct", "footage", "--out", "store", program=SPOILED)
    assert done.returncode == 3, done.stderr
    summary = json.loads(done.stdout)
    assert summary == json.loads((here / "store/summary.json").read_text())
    reason = "met a defect of careclips (KeyError: 'a defect')"
    assert summary["defects"] == [{"step": "reading footage", "item": "bad", "reason": reason}]
    assert {"item": "bad", "kind": "defect", "reason": reason} in summary["skipped"]
    assert [clip["people"] for clip in summary["clips"]] == [1] and len(summary["rooms"]) == 1
    assert "KeyError: 'a defect'" in (here / "store/tracebacks.txt").read_text() and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("careclips: 1 item(s) met a defect of careclips, the first in 'read")

    done = careclips(here, "reconstruct", "footage", "--out", "store")
    assert done.returncode == 0 and json.loads(done.stdout)["defects"] == []
    assert not (here / "store/tracebacks.txt").exists()


def test_where_nothing_can_be_read_the_night_ends_and_says_so(here):
    plan = {"footage": "footage", "store": "store", "order": str(ROOT / "configs/falls.yaml"), "dataset": "dataset"}
    (here / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"serve": plan}))
    assert careclips(here, "reconstruct", "footage", "--out", "store").returncode == 0
    yesterday = json.loads((here / "store/summary.json").read_text())
    assert len(yesterday["rooms"]) == 1
    for video in (here / "footage").rglob("*.mp4"):
        video.write_bytes(b"no video")
    done = careclips(here, "nightly")
    assert done.returncode == 1 and not (here / "dataset").exists()
    assert "gave no room at all: of 2 clip(s), 0 could be read" in done.stderr
    summary = json.loads((here / "store/summary.json").read_text())
    assert summary["rooms"] == summary["clips"] == [] and len(summary["skipped"]) == 2
    shutil.rmtree(here / "footage")
    done = careclips(here, "reconstruct", "footage", "--out", "store")
    assert done.returncode == 1 and done.stderr.startswith("careclips: footage: is not there; give the folder")
    assert [one["item"] for one in json.loads((here / "store/summary.json").read_text())["skipped"]] == ["footage"]


def test_what_is_made_is_its_users_alone(here):
    assert careclips(here, "reconstruct", "footage", "--out", "new/store").returncode == 0
    made = [path for place in ("new", "cache") for path in (here / place).rglob("*")]
    assert len(made) > 10 and all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in [here / "new", *made])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reconstruct",), "careclips: Missing argument 'footage'; see --help of the command"),
        (("reconstruct", "footage", "--outt", "x"), "careclips: No such option: --outt"),
        (("reconstruct", "footage", "--out", "footage/bad.mp4"), "bad.mp4: is a file, and a folder is to be written"),
        (("check", "footage", "--labels", "typo.csv"), "careclips: typo.csv: cannot be opened (No such file"),
    ],
)
def test_a_users_mistake_is_one_line(here, arguments, words):
    done = careclips(here, *arguments)
    assert done.returncode == 1 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_no_log_is_called_after_anybody(here):
    careclips(here, "forget", "Mueller", "--store", "store")
    careclips(here, "Mueller")
    careclips(here, "evaluate", "people")
    names = sorted(path.name.split("_")[1] for path in (here / "cache" / "logs").iterdir())
    assert names == ["careclips", "evaluate-people", "forget"]
