"""The whole chain on tiny sample footage, as a user runs it: real files, real renderer, real Prefect, real kills.

Over 400 lines, for all its tests share one night of footage, store and dataset, which takes half a minute to make.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import av
import numpy as np
import pytest
import typer

from models import codec
from models.footage.video import read_frames
from models.footage.video_writer import write_video

ROOT = Path(__file__).parents[1]
CONFIG = """
run: {workers: 1, plate_samples: 12}
sample_footage: {rooms: 1, clips_per_room: 2, seconds: 4.0, fps: 10, width_px: 320, height_px: 240, two_people: 0.0}
calibrate: {bootstrap_replicates: 10}
people3d: {fit: {steps: 60, last_steps: 15}}
"""
ORDER = "{events: [{event: fall, seconds: 4}, {event: walk, seconds: 3}], fps: 10, attempts_per_clip: 12}"


def careclips(*arguments, check=True, **more):
    """Run the command line in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | more.pop("env", {})
    command = [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, **more)
    if check:
        assert done.returncode == 0, done.stderr[-3000:]
    return done


def artefacts(store):
    """Bytes of every artefact's data files by stage, key and name; `meta.json` also holds how long it took."""
    files = [
        f for f in store.rglob("*") if f.is_file() and ".partial" not in f.parts and len(f.relative_to(store).parts) > 2
    ]
    return {str(f.relative_to(store)): f.read_bytes() for f in files if f.name != "meta.json"}


def stamps(store, stage):
    return {folder.name: (folder / "meta.json").stat().st_mtime_ns for folder in (store / stage).iterdir()}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Sample footage, reconstructed, and clips generated from it."""
    folder = tmp_path_factory.mktemp("night")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "order.yaml").write_text(ORDER)
    config = ("--config", folder / "config.yaml")
    careclips("sample-footage", "--out", folder / "footage", *config)
    careclips("reconstruct", folder / "footage", "--out", folder / "store", *config)
    order = ("--order", folder / "order.yaml", "--count", 3)
    careclips("generate", "--store", folder / "store", "--out", folder / "dataset", *order, *config)
    return folder, config, order


def test_the_summary_keeps_its_contract(night):
    folder, _, _ = night
    rebuilt = json.loads((folder / "store" / "summary.json").read_text())
    room_keys = {"room", "camera", "camera_height_m", "camera_height_interval_m", "pitch_deg", "focal_px", "verdict"}
    assert room_keys | {"floor_inlier_ratio"} <= set(rebuilt["rooms"][0])
    clip_keys = {"clip", "room", "people", "reprojection_px_median", "stature_m", "foot_floor_m_median", "seconds"}
    assert clip_keys | {"clip_seconds", "recomputed", "truth"} <= set(rebuilt["clips"][0])
    truth = rebuilt["clips"][0]["truth"]
    assert {"floor_normal_deg", "camera_height_rel", "depth_absrel", "joints_world_mm"} <= set(truth)
    made = json.loads((folder / "dataset" / "summary.json").read_text())
    assert {"requested", "accepted", "rejected", "seconds_per_clip", "peak_memory_mib", "sources"} <= set(made)
    assert made["requested"] == 3 and made["accepted"] >= 1


def test_the_dataset_is_whole_and_its_clips_play(night):
    dataset = night[0] / "dataset"
    for name in ("dataset.json", "clips.csv", "frames.parquet", "coco_keypoints.json", "skeletons.pkl", "report.html"):
        assert (dataset / name).stat().st_size > 0
    clips = sorted((dataset / "clips").glob("*.mp4"))
    assert len(clips) == json.loads((dataset / "summary.json").read_text())["accepted"]
    with av.open(str(clips[0])) as container:
        assert (container.streams.video[0].codec_context.name, container.streams.video[0].codec_context.pix_fmt) == (
            "h264",
            "yuv420p",
        )
    assert len(list(read_frames(clips[0]))) in (30, 40)


def test_the_page_of_formats_reads_what_is_written(night):
    """Every few lines of Python in docs/formats.md run beside real footage, a store and a dataset."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "formats.md").read_text(), re.DOTALL)
    assert len(blocks) > 8 and all(len(block.replace("\n\n", "\n").splitlines()) <= 5 for block in blocks)
    program = "import sys\nfor block in sys.argv[1:]:\n    exec(block, {})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, *blocks]
    done = subprocess.run(command, cwd=night[0], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_second_run_recomputes_nothing(night):
    folder, config, order = night
    files = {path: path.stat().st_ino for path in (folder / "dataset" / "clips").iterdir()}
    before = (
        artefacts(folder / "store"),
        {stage: stamps(folder / "store", stage) for stage in ("ingest", "room", "people3d", "clip")},
    )
    careclips("reconstruct", folder / "footage", "--out", folder / "store", *config)
    careclips("generate", "--store", folder / "store", "--out", folder / "dataset", *order, *config)
    after = (
        artefacts(folder / "store"),
        {stage: stamps(folder / "store", stage) for stage in ("ingest", "room", "people3d", "clip")},
    )
    assert before == after
    assert not any(clip["recomputed"] for clip in json.loads((folder / "store" / "summary.json").read_text())["clips"])
    assert json.loads((folder / "dataset" / "summary.json").read_text())["recomputed"] == 0
    assert files == {path: path.stat().st_ino for path in (folder / "dataset" / "clips").iterdir()}


def test_without_the_truth_the_artefacts_are_the_same_bytes(night, tmp_path):
    folder, config, _ = night
    shutil.copytree(folder / "footage", tmp_path / "footage", ignore=shutil.ignore_patterns("truth"))
    careclips("reconstruct", tmp_path / "footage", "--out", tmp_path / "store", *config)
    original = {name: value for name, value in artefacts(folder / "store").items() if not name.startswith("clip/")}
    assert artefacts(tmp_path / "store") == original
    summary = json.loads((tmp_path / "store" / "summary.json").read_text())
    assert all("truth" not in clip for clip in summary["clips"])


def test_with_the_true_camera_people_stand_where_they_stood(night, tmp_path):
    folder, config, _ = night
    shutil.copytree(folder / "footage", tmp_path / "footage")
    for video in (tmp_path / "footage").rglob("*.mp4"):
        truth = next((tmp_path / "footage" / "truth").glob(f"*{video.stem}")) / "camera.json"
        shutil.copy(truth, video.parent / "camera.json")
    careclips("reconstruct", tmp_path / "footage", "--out", tmp_path / "store", *config)
    summary = json.loads((tmp_path / "store" / "summary.json").read_text())
    assert summary["rooms"][0]["calibration"] == "file"
    for clip in summary["clips"]:
        assert clip["truth"]["camera_height_rel"] < 1e-6
        assert clip["truth"]["joints_world_mm"] <= 90.0, clip


def test_a_deleted_artefact_and_a_changed_config_redo_what_depends_on_them(night, tmp_path):
    folder, config, _ = night
    store = tmp_path / "store"
    shutil.copytree(folder / "store", store)
    before = {stage: stamps(store, stage) for stage in ("ingest", "people2d", "room", "people3d")}
    gone = sorted((store / "people3d").iterdir())[0]
    shutil.rmtree(gone)
    careclips("reconstruct", folder / "footage", "--out", store, *config)
    after = {stage: stamps(store, stage) for stage in before}
    assert {stage: set(keys) for stage, keys in after.items()} == {stage: set(keys) for stage, keys in before.items()}
    changed = [key for stage in before for key in before[stage] if after[stage][key] != before[stage][key]]
    assert changed == [gone.name]
    (tmp_path / "config.yaml").write_text(CONFIG.replace("{fit: ", "{stature_m: 1.7, fit: "))
    careclips("reconstruct", folder / "footage", "--out", store, "--config", tmp_path / "config.yaml")
    last = {stage: stamps(store, stage) for stage in before}
    assert all(last[stage] == after[stage] for stage in ("ingest", "people2d", "room"))
    assert len(last["people3d"]) == 2 * len(after["people3d"])


def test_clips_lifted_together_are_as_each_alone_and_each_redone_alone(night, tmp_path):
    folder, _, _ = night
    store, config = tmp_path / "store", tmp_path / "config.yaml"
    shutil.copytree(folder / "store", store)
    config.write_text(CONFIG.replace("{fit: ", "{clips_at_once: 2, fit: "))
    careclips("reconstruct", folder / "footage", "--out", store, "--config", config)
    alone, at_once = (json.loads((where / "index.json").read_text())["clips"] for where in (folder / "store", store))
    for clip in alone:
        assert alone[clip]["people3d"] != at_once[clip]["people3d"]
        before, now = (codec.load(store / "people3d" / one[clip]["people3d"], "value") for one in (alone, at_once))
        for track, same in zip(now.people, before.people, strict=True):
            assert track.person == same.person and np.abs(track.transl - same.transl).max() < 5e-3
    made = stamps(store, "people3d")
    gone = next(iter(at_once.values()))["people3d"]
    shutil.rmtree(store / "people3d" / gone)
    careclips("reconstruct", folder / "footage", "--out", store, "--config", config)
    again = stamps(store, "people3d")
    assert [key for key in made if again[key] != made[key]] == [gone]


def test_a_changed_video_under_the_same_name_is_seen(night, tmp_path):
    folder, config, _ = night
    shutil.copytree(folder / "store", tmp_path / "store")
    shutil.copytree(folder / "footage", tmp_path / "footage")
    video = sorted((tmp_path / "footage" / "home_a").rglob("*.mp4"))[1]
    frames = [frame for _, frame in read_frames(video)]
    write_video(video, [np.clip(frame.astype(int) + 12, 0, 255).astype(np.uint8) for frame in frames], 10.0)
    before = {stage: stamps(tmp_path / "store", stage) for stage in ("ingest", "people2d")}
    careclips("reconstruct", tmp_path / "footage", "--out", tmp_path / "store", *config)
    after = {stage: stamps(tmp_path / "store", stage) for stage in before}
    for stage in before:
        assert len(after[stage]) == len(before[stage]) + 1  # the other clip's artefacts stand
        assert before[stage].items() <= after[stage].items()


def test_killed_and_started_again_it_finishes_with_the_same_bytes(night, tmp_path):
    folder, config, _ = night
    command = [
        sys.executable,
        "-m",
        "pipeline.cli.main",
        "reconstruct",
        folder / "footage",
        "--out",
        tmp_path / "store",
        *config,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for stage in ("ingest", "people2d", "room"):  # killed as soon as the first artefact of the stage stands
        process = subprocess.Popen(
            list(map(str, command)), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 300
        while not any((tmp_path / "store" / stage).glob("*/meta.json")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    careclips("reconstruct", folder / "footage", "--out", tmp_path / "store", *config)
    assert list((tmp_path / "store" / ".partial").iterdir()) == []
    original = {name: value for name, value in artefacts(folder / "store").items() if not name.startswith("clip/")}
    assert artefacts(tmp_path / "store") == original


def test_bad_files_are_set_aside_in_one_line_each_and_the_rest_goes_on(night, tmp_path):
    folder, config, _ = night
    footage = tmp_path / "footage"
    shutil.copytree(folder / "footage", footage, ignore=shutil.ignore_patterns("truth"))
    (footage / "footage.csv").unlink()
    good = sorted((footage / "home_a").rglob("*.mp4"))
    (footage / "empty.mp4").touch()
    (footage / "text.mp4").write_text("not a video")
    (footage / "cut.mp4").write_bytes(good[0].read_bytes()[:5000])
    write_video(footage / "one.mp4", [np.zeros((240, 320, 3), np.uint8)], 10.0)
    write_video(footage / "nobody.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 20, 10.0)
    sidecar = sorted(footage.rglob("annotations.json"))[0]
    content = json.loads(sidecar.read_text())
    content["images"][0]["frame"] = 9999
    sidecar.write_text(json.dumps(content))
    done = careclips("reconstruct", footage, "--out", tmp_path / "store", *config)
    summary = json.loads((tmp_path / "store" / "summary.json").read_text())
    reasons = {reject["item"]: reject["reason"] for reject in summary["rejected"]}
    assert "is empty (0 bytes); copy the video again" in reasons["empty"]
    assert "is not a whole video that FFmpeg can read" in reasons["text"] and "is not a whole video" in reasons["cut"]
    assert "too short: 1 frame(s)" in reasons["one"]
    assert "no pose model is configured" in reasons["nobody"] and "people2d" in reasons["nobody"]
    assert "it is of frame 9999: the clip has frames 0 to 39" in reasons["home_a__room_01__clip_01"]
    assert all("\n" not in reason for reason in reasons.values())
    assert sum(clip["reprojection_px_median"] is not None for clip in summary["clips"]) == 2
    assert "set aside: empty" in done.stderr


def test_a_bad_camera_file_stops_its_room_alone(night, tmp_path):
    folder, config, _ = night
    shutil.copytree(folder / "footage", tmp_path / "footage")
    (tmp_path / "footage" / "home_a" / "room_01" / "camera.json").write_text(
        '{"intrinsics": [[NaN,0,1],[0,1,1],[0,0,1]]}'
    )
    done = careclips("reconstruct", tmp_path / "footage", "--out", tmp_path / "store", *config, check=False)
    assert done.returncode == 1
    assert "'intrinsics' holds a number that is not finite" in done.stderr and "Traceback" not in done.stderr


def test_nothing_usable_ends_with_exit_code_1(tmp_path):
    (tmp_path / "footage").mkdir()
    (tmp_path / "footage" / "a.mp4").touch()
    done = careclips("reconstruct", tmp_path / "footage", "--out", tmp_path / "store", check=False)
    assert done.returncode == 1 and "is empty (0 bytes)" in done.stderr and "Traceback" not in done.stderr
    done = careclips("reconstruct", tmp_path / "nowhere", "--out", tmp_path / "store", check=False)
    assert done.returncode == 1 and done.stderr.strip().endswith("is not there; give the folder that holds the videos")
    for verb in (("generate", "--store"), ("evaluate", "--synthetic", tmp_path, "--real")):
        done = careclips(*verb, tmp_path / "nowhere", "--out", tmp_path / "out", check=False)
        assert done.returncode == 1 and "nowhere: is no store of rebuilt rooms; run `careclips rec" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(night, tmp_path):
    folder, config, _ = night

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = careclips(
        "reconstruct", folder / "footage", "--out", tmp_path / "store", *config, check=False, preexec_fn=limit
    )
    assert done.returncode == 1 and "no room to write" in done.stderr and "Traceback" not in done.stderr
    assert all((meta.parent / "value.npz").exists() for meta in (tmp_path / "store").glob("*/*/meta.json"))
    careclips("reconstruct", folder / "footage", "--out", tmp_path / "store", *config)
    original = {name: value for name, value in artefacts(folder / "store").items() if not name.startswith("clip/")}
    assert artefacts(tmp_path / "store") == original


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("depthh: {}", "has an unknown section 'depthh'"),
        ("room: {cell_m: -1}", "room.cell_m: Input should be greater than or equal to"),
        ("run: {worker: 2}", "run.worker: Extra inputs are not permitted"),
        ("[", "is not readable YAML"),
    ],
)
def test_bad_configs_name_the_key(tmp_path, text, problem):
    (tmp_path / "c.yaml").write_text(text)
    done = careclips("reconstruct", tmp_path, "--out", tmp_path / "s", "--config", tmp_path / "c.yaml", check=False)
    assert done.returncode == 1 and problem in done.stderr and "Traceback" not in done.stderr


def test_light_verbs_import_neither_torch_nor_prefect(night):
    script = (
        "import sys\n"
        "from pipeline.cli.main import main\n"
        "sys.argv = ['careclips', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'torch', 'prefect'} & set(sys.modules), 'heavy import'\n"
    )
    store = night[0] / "store"
    room = next((store / "room").iterdir())
    for arguments in (
        ["--help"],
        ["report", night[0] / "dataset"],
        ["show", store],
        ["show", room, "--picture", night[0] / "r.png"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr[-2000:]
    assert (night[0] / "r.png").stat().st_size > 1000


def test_an_object_store_takes_the_place_of_the_folder(night, tmp_path):
    """In one process, for the store lies in its memory; its cache is thrown away half way, as on another machine."""
    folder, config, order = night
    url = f"memory://bucket_{uuid.uuid4().hex}/store"
    room = next((folder / "store" / "room").iterdir()).name
    script = (
        "import shutil, sys, fsspec\n"
        "from pipeline.cli.main import app\n"
        "from pipeline.store import Store\n"
        "from typer.testing import CliRunner\n"
        "url, copy, *words = sys.argv[1:]\n"
        "while words:\n"
        "    end = words.index(';')\n"
        "    done = CliRunner().invoke(app, words[:end], catch_exceptions=False)\n"
        "    assert done.exit_code == 0, done.output\n"
        "    print(done.stdout)\n"
        "    words = words[end + 1:]\n"
        "    shutil.rmtree(Store(url).folder)\n"
        "files, base = fsspec.url_to_fs(url)\n"
        "files.get(base, copy, recursive=True)\n"
    )
    commands = [
        "reconstruct",
        folder / "footage",
        "--out",
        url,
        *config,
        ";",
        "reconstruct",
        folder / "footage",
        "--out",
        url,
        *config,
        ";",
        "generate",
        "--store",
        url,
        "--out",
        tmp_path / "dataset",
        *order,
        *config,
        ";",
        "show",
        f"{url}/room/{room}",
        "--picture",
        tmp_path / "room.png",
        ";",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", script, url, tmp_path / "copy", *commands]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=environment, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert artefacts(tmp_path / "copy") == artefacts(folder / "store")
    assert not any(clip["recomputed"] for clip in json.loads((tmp_path / "copy" / "summary.json").read_text())["clips"])
    for name in ("clips.csv", "frames.parquet/part-00000.parquet", "coco_keypoints.json"):
        assert (tmp_path / "dataset" / name).read_bytes() == (folder / "dataset" / name).read_bytes()
    assert f"room {room}" in done.stdout and (tmp_path / "room.png").stat().st_size > 1000


@pytest.fixture(scope="module")
def prefect(tmp_path_factory):
    """A home for Prefect: its database takes long to set up."""
    return {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}


def test_the_same_steps_run_as_a_prefect_flow(night, prefect, tmp_path):
    folder, config, _ = night
    careclips("reconstruct", folder / "footage", "--out", tmp_path / "store", *config, "--prefect", env=prefect)
    original = {name: value for name, value in artefacts(folder / "store").items() if not name.startswith("clip/")}
    assert artefacts(tmp_path / "store") == original


def test_what_is_forgotten_is_in_no_file_and_does_not_come_back(night, tmp_path):
    folder, config, order = night
    shutil.copytree(folder / "footage", tmp_path / "footage", ignore=shutil.ignore_patterns("truth"))
    shutil.copytree(folder / "store", tmp_path / "store", ignore=shutil.ignore_patterns("derived.json"))
    cache = {"CARECLIPS_CACHE": str(tmp_path / "cache")}
    store = ("--store", tmp_path / "store")
    careclips("generate", *store, "--out", tmp_path / "dataset", *order, *config, env=cache)
    video = sorted((tmp_path / "footage").rglob("*.mp4"))[0]
    name = "__".join(video.relative_to(tmp_path / "footage").with_suffix("").parts)
    index = json.loads((tmp_path / "store" / "index.json").read_text())
    tracks = tmp_path / "store" / "people2d" / index["clips"][name]["people2d"] / "value.npz"
    secrets = [name.encode(), tracks.read_bytes(), index["clips"][name]["ingest"].encode()]
    done = json.loads(careclips("forget", name, *store, env=cache).stdout)
    assert done["forgotten"] == [name] and done["datasets_removed"] == [str(tmp_path / "dataset")]
    left = [path for place in ("store", "cache") for path in (tmp_path / place).rglob("*") if path.is_file()]
    assert len(left) > 5 and [path for path in left for one in secrets if one in path.read_bytes()] == []
    summary = json.loads(
        careclips("reconstruct", tmp_path / "footage", "--out", tmp_path / "store", *config, env=cache).stdout
    )
    assert [one["item"] for one in summary["skipped"]] == [name] and "was forgotten" in summary["skipped"][0]["reason"]
    assert len(summary["rooms"]) == 1 and name not in [clip["clip"] for clip in summary["clips"]]


def test_every_other_verb_is_a_flow_too(night, prefect, tmp_path):
    folder, _, _ = night
    shutil.copytree(folder / "dataset", tmp_path / "dataset")
    (tmp_path / "dataset" / "report.html").unlink()
    done = careclips("report", tmp_path / "dataset", "--prefect", env=prefect)
    assert "careclips-report" in done.stderr, "Prefect's log names the flow"
    assert (tmp_path / "dataset" / "report.html").read_bytes() == (folder / "dataset" / "report.html").read_bytes()


def test_a_night_runs_at_once(night, prefect, tmp_path):
    """What stands already is not made again; the dataset is."""
    folder, _, _ = night
    shutil.copytree(folder / "store", tmp_path / "store")
    serve = {"footage": folder / "footage", "store": tmp_path / "store", "order": folder / "order.yaml", "count": 1}
    serve |= {"dataset": tmp_path / "dataset"}
    (tmp_path / "c.yaml").write_text(f"{CONFIG}serve: {json.dumps(serve, default=str)}\n")
    done = careclips("nightly", "--config", tmp_path / "c.yaml", env=prefect)
    assert json.loads(done.stdout) == {"rooms": 1, "accepted": 1, "skipped": [], "defects": []}
    assert "careclips-nightly" in done.stderr
    assert not any(clip["recomputed"] for clip in json.loads((tmp_path / "store/summary.json").read_text())["clips"])
    assert (tmp_path / "dataset" / "report.html").exists()


def test_every_verb_that_does_work_can_be_a_flow():
    from pipeline.cli.main import app

    def verbs(group, above=()):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from verbs(command, (*above, name))
            else:
                yield " ".join((*above, name)), {option for given in command.params for option in given.opts}

    options = dict(verbs(typer.main.get_command(app)))
    assert {"sample-footage", "reconstruct", "generate", "demo", "evaluate gain", "train motion"} <= set(options)
    assert {verb for verb, given in options.items() if "--prefect" not in given} == {"serve", "nightly", "config"}


def test_lifting_is_evaluated_on_sample_footage_and_on_a_store(night, tmp_path):
    folder, _, _ = night
    (tmp_path / "quick.yaml").write_text(CONFIG.replace("steps: 60", "steps: 40"))
    (tmp_path / "events.csv").write_text("path,at_rest_s,landing_support,final_posture,body_fully_in_view\n")
    given = ("--footage", folder / "footage", "--config", tmp_path / "quick.yaml", "--store", folder / "store")
    done = careclips("evaluate", "people", *given, "--out", tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary == json.loads(done.stdout) and summary["clips"] == 2 and summary["skipped"] == []
    for keypoints in ("clean", "noisy"):
        for variant in ("regress", "optimise", "hybrid"):
            row = summary[keypoints][variant]
            assert row["people"] == row["lifted"] == 2
            assert 0.0 < row["pa_mpjpe_mm"] < row["mpjpe_mm"] < 250.0 and row["root_m"] < 0.5
    assert summary["clean"]["optimise"]["mpjpe_mm"] < summary["noisy"]["optimise"]["mpjpe_mm"]
    assert summary["real"]["track_share"] == 1.0 and summary["real"]["falls"] == 0


def test_lifting_is_not_evaluated_without_truth(tmp_path):
    done = careclips("evaluate", "people", "--footage", tmp_path, "--out", tmp_path / "out", check=False)
    assert done.returncode == 1 and "holds no sample footage with its truth" in done.stderr
    assert not (tmp_path / "out").exists()


def test_keypoints_in_a_wrong_order_stop_the_run(night, tmp_path):
    folder, config, _ = night
    shutil.copytree(folder / "footage", tmp_path / "footage")
    for path in (tmp_path / "footage").rglob("*.json"):
        sidecar = json.loads(path.read_text())
        for drawn in sidecar.get("annotations", []) if isinstance(sidecar, dict) else []:
            if len(drawn.get("keypoints", [])) == 51:
                drawn["keypoints"] = drawn["keypoints"][3:] + drawn["keypoints"][:3]
        path.write_text(json.dumps(sidecar))
    done = careclips("reconstruct", tmp_path / "footage", "--out", tmp_path / "store", *config, check=False)
    assert (
        done.returncode == 1
        and "are not in COCO's order" in done.stderr
        and "people2d.keypoint_order.check" in done.stderr
    )


def test_serve_asks_for_a_server(tmp_path):
    done = careclips("serve", check=False, env={"PREFECT_HOME": str(tmp_path)})
    assert (
        done.returncode == 1 and "PREFECT_API_URL: is not set" in done.stderr and "prefect server start" in done.stderr
    )
