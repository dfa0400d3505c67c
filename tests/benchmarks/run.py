"""`make bench`: speed and memory of the chain on this machine, written to `out/bench.json` as one flat object.

Wall-clock figures of one run on a machine that may be shared: compare ratios within a run, not runs.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np
import torch
from motion_arms import arm_costs

from models.files import write_text
from pipeline.generate import generate
from pipeline.loaders import body_model
from pipeline.reconstruct import reconstruct
from pipeline.records import read_store_index
from pipeline.runner import PeakMemory, load_value, plain_runner
from pipeline.sample_footage import make_sample_footage
from pipeline.settings import Settings
from pipeline.store import Store

MOVENET = ROOT.parent / "shared" / "weights" / "movenet_lightning_ptq.tflite"
SETTINGS = {
    "run": {"workers": min(2, os.cpu_count() or 1), "plate_samples": 24},
    "sample_footage": {"rooms": 1, "clips_per_room": 2, "seconds": 6.0},
}


def seconds_of(store: Path, stage: str) -> float:
    """Compute time of a stage's artefacts, from their records."""
    return sum(json.loads(meta.read_text())["seconds"] for meta in (store / stage).glob("*/meta.json"))


def pose_ms_per_frame(footage: Path) -> float | None:
    """Time of the TFLite back end per frame of sample footage; None where the pose file is not there."""
    if not MOVENET.exists():
        print(f"pose: {MOVENET.name} is not there; skipped")
        return None
    from models.footage.video import read_frames
    from models.types import Footage
    from stages import people2d

    video = sorted((footage / "home_a").rglob("*.mp4"))[0]
    frames = list(read_frames(video))
    times = np.array([time for time, _ in frames])
    height, width = frames[0][1].shape[:2]
    config = people2d.People2DConfig.model_validate({"backend": {"kind": "tflite", "path": MOVENET}})
    started = time.perf_counter()
    people2d.run(config, Footage("bench", "bench", "", "", "", times, width, height, ""), iter(frames))
    return (time.perf_counter() - started) / len(frames) * 1000.0


def lifting_costs(footage: Path) -> dict[str, float]:
    """Milliseconds a frame and person of each variant, and how the cost of the fit grows with frames and people."""
    from dataclasses import replace

    from stages import evaluate_people, people3d

    body = body_model(None)
    clip = evaluate_people.true_clip(sorted((footage / "truth").iterdir())[0], 640, 480)
    person = clip.people[0]
    frames = len(clip.timestamps_s)

    def seconds(variant: str, count: int, people: int) -> float:
        first = {name: getattr(person, name)[:count] for name in ("visible", "boxes_px", "keypoints_px", "scores")}
        part = [replace(person, person=f"{person.person}_{k}", **first) for k in range(people)]
        config = people3d.People3DConfig.model_validate(
            {"variant": variant, "separation": {"steps": 0}, "plausibility": evaluate_people.NOBODY_FAILS}
        )
        started = time.perf_counter()
        people3d.run(config, [people3d.Clip(part, clip.timestamps_s[:count], clip.camera)], body)
        return time.perf_counter() - started

    seconds("hybrid", 12, 1)
    figures = {
        f"lift.{name}.ms_per_frame": seconds(name, frames, 1) / frames * 1000.0 for name in evaluate_people.VARIANTS
    }
    once = seconds("hybrid", frames // 2, 1)
    figures["lift.twice_the_frames.ratio"] = figures["lift.hybrid.ms_per_frame"] * frames / 1000.0 / once
    figures["lift.twice_the_people.ratio"] = seconds("hybrid", frames // 2, 2) / once
    return figures


def render_frames_per_s(store: Path, dataset: Path) -> float:
    """Frames a second of `stages.render` on one process, for the first generated clip again."""
    from models import codec
    from models.seeds import generator
    from models.types import BodyLook, Scene
    from stages import render

    clip = next(folder for folder in sorted((store / "clip").iterdir()) if (folder / "value.json").exists())
    labelled = codec.load(clip, "value")
    room = load_value(Store(store), "room", read_store_index(Store(store)).rooms[labelled.room])
    scene = Scene(room, labelled.motion, (BodyLook(0, 80.0),), render.light_direction(room))
    body = body_model(None)
    started = time.perf_counter()
    rendered = render.run(render.RenderConfig.model_validate({}), scene, body, generator(0, "bench", "render"))
    return len(rendered.frames) / (time.perf_counter() - started)


def import_realtime_factor(folder: Path) -> float:
    """Seconds of motion that are read from BVH and brought on the body in a second, on one core: 20 takes of a
    minute."""
    from models.animation.gait_curves import procedural_walking
    from models.mocap.bvh import write_bvh
    from models.mocap.export import track_bvh
    from models.mocap.importers import IMPORTERS

    body = body_model(None)
    walk = procedural_walking(body, np.zeros(10), 60.0, 30.0, np.random.default_rng(0))
    folder.mkdir(parents=True)
    write_bvh(track_bvh(body, walk.people[0], walk.timestamps_s), folder / "walk.bvh")
    IMPORTERS["bvh"](folder / "walk.bvh", body, np.zeros(10))
    started = time.perf_counter()
    for _ in range(20):
        IMPORTERS["bvh"](folder / "walk.bvh", body, np.zeros(10))
    return 20 * 60.0 / (time.perf_counter() - started)


def corpus_batch_ms(folder: Path) -> float:
    """Time to read 64 windows of 80 frames of a corpus in memory, with room for as many people as it has; median of 20
    batches."""
    from models.corpus.reader import read_corpus
    from models.corpus.writer import Item, write_corpus
    from models.motion_sources.procedural import ProceduralEveryday
    from models.order import ClipOrder
    from models.seeds import generator
    from models.types import FPS

    body = body_model(None)
    order = ClipOrder(
        event="walk",
        cause=None,
        direction=None,
        start="walking",
        seconds=10.0,
        fps=FPS,
        role="resident",
        age_years=80.0,
        stature_m=1.65,
        build=0.5,
        sex=0.0,
        text="",
    )
    source = ProceduralEveryday(body)
    motions = [source.sample(order, None, generator(0, "bench", f"walk {k}")) for k in range(32)]
    items = [
        Item(f"{k}", motion, ("a walk",), "procedural", "CC0", f"{k}", "mocap") for k, motion in enumerate(motions)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder / "corpus.bin", items, body.name, {})
    corpus = read_corpus(folder / "corpus.bin")
    rng = generator(0, "bench", "corpus windows")
    times_s = []
    for _ in range(20):
        picks = [(int(rng.integers(len(items))), int(rng.integers(round(10.0 * FPS) - 80))) for _ in range(64)]
        started = time.perf_counter()
        corpus.windows(picks, 80)
        times_s.append(time.perf_counter() - started)
    return float(np.median(times_s)) * 1000.0


def motion_costs() -> dict[str, float]:
    """Seconds a clip of the shipped motion model as `careclips sample` runs it, cleaned up, text already encoded; peak
    memory.

    2 people of 210 frames alone and sixteen at a time, the network's share of it apart; and alone, as many people as it
    knows, with what a person costs beside that of two (1 is linear), and 40 to 400 frames.
    """
    from models.motion.cleanup import CleanupConfig
    from models.motion.model import load_motion_model
    from models.motion.sampler import MotionSampler, request_for
    from models.text.encoder import SentenceConfig, TextEncoder

    model, body = load_motion_model("starter"), body_model(None)
    text, encoder = "A carer walks beside a resident and holds her by the arm.", TextEncoder(SentenceConfig())

    def seconds(people: int, frames: int, count: int = 1, clean: bool = True) -> float:
        betas = np.zeros((people, 10))
        requests = [request_for(body, text, ("person",) * people, betas, frames, seed) for seed in range(count)]
        sampler = MotionSampler(model, encoder, body, cleanup=CleanupConfig() if clean else None, batch_size=count)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            sampler.features(requests)
            times.append(time.perf_counter() - started)
        return float(np.median(times)) / count

    threads = torch.get_num_threads()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    seconds(1, 40)
    with PeakMemory() as memory:
        figures = {
            "motion.params": float(sum(value.numel() for value in model.denoiser.parameters())),
            "motion.seconds_per_clip.b1": seconds(2, 210),
            "motion.seconds_per_clip.b16": seconds(2, 210, 16),
            "motion.seconds_per_clip.b16.sampling": seconds(2, 210, 16, clean=False),
        }
        spent = {people: seconds(people, 120) for people in model.config.denoiser.people}
        figures |= {f"motion.seconds.people_{people}.frames_120": value for people, value in spent.items()}
        for people in range(3, max(spent) + 1):
            figures[f"motion.per_person.people_{people}_over_2"] = spent[people] / people / (spent[2] / 2)
        for frames in (40, 100, 200, 400):
            figures[f"motion.seconds.people_2.frames_{frames}"] = seconds(2, frames)
    figures["motion.peak_memory_mib"] = memory.mib
    torch.set_num_threads(threads)
    return figures


def sidecar_costs(folder: Path) -> dict[str, float]:
    """Milliseconds to read a person and frame of a sidecar, with masks at 1920x1080, of a thousand frames and of eight
    thousand: the same where the work is linear."""
    from models.footage.coco_file import clip_entries
    from models.footage.coco_sidecar import read_annotations
    from models.types import Footage

    folder.mkdir(parents=True)
    (folder / "a.mp4").touch()
    around = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    outline = np.stack([960.0 + 150.0 * np.cos(around), 540.0 + 400.0 * np.sin(around)], axis=1).ravel().tolist()
    drawn = {"category_id": 1, "bbox": [800, 100, 300, 800], "keypoints": [900, 500, 2] * 17, "segmentation": [outline]}
    figures = {}
    for count in (1000, 8000):
        images = [{"id": n, "file_name": "a.mp4", "frame": n, "width": 1920, "height": 1080} for n in range(count)]
        people = [drawn | {"id": 2 * n + k, "image_id": n, "person_id": k} for n in range(count) for k in range(2)]
        content = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}
        (folder / "annotations.json").write_text(json.dumps(content))
        footage = Footage("a", "a.mp4", "", "", "", np.arange(count) / 15.0, 1920, 1080, "")
        started = time.perf_counter()
        entries = clip_entries(folder / "annotations.json", folder / "a.mp4")
        assert entries is not None
        read_annotations(folder / "annotations.json", entries, footage)
        figures[f"sidecar.ms_per_annotation.frames_{count}"] = (time.perf_counter() - started) / len(people) * 1000.0
    return figures


def long_clip_costs() -> dict[str, float]:
    """Microseconds a frame of what follows, merges and smooths people, in clips of a thousand frames and of eight
    thousand: the same where the work is linear."""
    from models.people2d.association import associate
    from models.people2d.pose2d import Pose2D
    from models.people2d.pose_nms import PoseNmsConfig
    from models.types import Annotations, Footage, Person2D
    from stages import label, people2d

    figures = {}
    figure = np.array([[k % 3 * 10.0, k * 6.0] for k in range(17)])
    appearance = np.full(600, 600.0**-0.5)
    for count in (1000, 8000):
        times = np.arange(count) / 15.0
        detected = [(t, [Pose2D(figure + [50.0 + x, 60.0], np.ones(17), 0) for x in (0.0, 200.0)]) for t in times]
        started = time.perf_counter()
        associate(((t, poses, [appearance, appearance]) for t, poses in detected), 1.0, PoseNmsConfig())
        followed = time.perf_counter()
        label._smooth(np.zeros((count, 3)), times, 0.5)
        smoothed = time.perf_counter()
        seen, boxes = np.ones(count, bool), np.tile([40.0, 50.0, 100.0, 170.0], (count, 1))
        points, scores = np.tile(figure + [50.0, 60.0], (count, 1, 1)), np.ones((count, 17))
        person = Person2D("person_1", "person", seen, boxes, points, scores)
        listed = np.arange(count) % 2 == 0
        given = Annotations((person,), np.full((1, count), -1), {}, {}, listed)
        footage = Footage("bench", "bench", "", "", "", times, 640, 480, "")
        config = people2d.People2DConfig.model_validate({})
        began = time.perf_counter()
        people2d._merge(config, given.people, listed, [person], footage)
        merged = time.perf_counter()
        for name, seconds in (
            ("follow", followed - started),
            ("smooth", smoothed - followed),
            ("merge", merged - began),
        ):
            figures[f"long_clip.{name}_us_per_frame.frames_{count}"] = seconds / count * 1e6
    return figures


def main() -> None:
    """Run the chain once from nothing and write the figures."""
    folder = ROOT / "out" / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings(SETTINGS)
    runner = plain_runner(SETTINGS["run"]["workers"])
    footage, store, dataset = folder / "footage", folder / "store", folder / "dataset"
    figures: dict[str, float] = {}
    with PeakMemory() as memory:
        made = make_sample_footage(footage, settings, runner)
        started = time.perf_counter()
        rebuilt = reconstruct(footage, store, settings, runner)
        generated = generate(store, ROOT / "configs" / "falls.yaml", 6, dataset, settings, runner)
        chain_s = time.perf_counter() - started
    frames = sum(round(clip["clip_seconds"] * 15) + 1 for clip in rebuilt["clips"])
    figures["sample_footage.frames_per_s"] = made["frames"] / made["seconds"]
    figures["fit.ms_per_frame"] = seconds_of(store, "people3d") / frames * 1000.0
    figures["room.seconds"] = sum(seconds_of(store, stage) for stage in ("plate", "calibrate", "depth", "room"))
    figures["generate.seconds_per_clip"] = generated["seconds_per_clip"]
    figures["end_to_end.clips_per_hour"] = generated["accepted"] / chain_s * 3600.0
    figures["render.frames_per_s"] = render_frames_per_s(store, dataset)
    figures["corpus.batch_ms"] = corpus_batch_ms(folder)
    figures |= lifting_costs(footage)
    figures |= motion_costs()
    figures |= arm_costs(torch.device("cpu"))
    figures["import.realtime_factor"] = import_realtime_factor(folder / "import")
    figures |= sidecar_costs(folder / "sidecar")
    figures |= long_clip_costs()
    pose = pose_ms_per_frame(footage)
    if pose is not None:
        figures["pose.ms_per_frame"] = pose
    figures["peak_memory_mib"] = memory.mib
    path = ROOT / "out" / "bench.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    write_text(path, json.dumps(kept | figures, indent=1))
    for name, value in figures.items():
        print(f"{name:32} {value:10.2f}")


if __name__ == "__main__":
    main()
