"""Kill a small chain at random moments, start it again, and compare what it leaves with an undisturbed run's.

usage: python tests/benchmarks/soak.py [KILLS] [SEED]

One room, two clips, two generated ones, two workers. Each time one process is killed by SIGKILL: the parent, a worker,
or all of them. When a chain has come to its end, every file of its store and dataset is compared by its bytes, but for
what tells times. Then two runs begin at once into one folder: one is refused, and the other's result is whole.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
CONFIG = """
run: {workers: 2, plate_samples: 12, motion: simulated}
sample_footage: {rooms: 1, clips_per_room: 2, seconds: 4.0, fps: 10, width_px: 320, height_px: 240, two_people: 0.0}
calibrate: {bootstrap_replicates: 10}
people3d: {fit: {steps: 60, last_steps: 15}, clips_at_once: 1}
"""
ORDER = "{events: [{event: fall, seconds: 4}, {event: walk, seconds: 3}], fps: 10, attempts_per_clip: 12}"
TIMED = {"meta.json", "summary.json", "index.json", "dataset.json", "report.html", "derived.json", "pseudonyms.json"}
"""Files that tell how long something took, or where it lies."""


def begin(folder: Path, *arguments: object) -> subprocess.Popen:
    """Start a verb in a folder, in a process group of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CARECLIPS_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments), "--config", "config.yaml"]
    log = (folder / "log").open("a")
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def chain(folder: Path, kill: "Killer | None") -> bool:
    """Reconstruct, then generate; whether both came to their end."""
    for arguments in (
        ("reconstruct", "footage", "--out", "store"),
        ("generate", "--store", "store", "--out", "dataset", "--order", "order.yaml", "--count", 2),
    ):
        process = begin(folder, *arguments)
        if kill is not None:
            kill.soon(process)
        code = process.wait()
        if code == -signal.SIGKILL:
            return False
        if code != 0:
            raise SystemExit(f"{arguments[0]} ended with {code}:\n{(folder / 'log').read_text()[-3000:]}")
    return True


class Killer:
    """Kills one process of a verb, or all of them, at a random moment."""

    def __init__(self, rng: random.Random, longest_s: float):
        self.rng, self.longest_s, self.kills = rng, longest_s, {"parent": 0, "worker": 0, "all": 0}

    def soon(self, process: subprocess.Popen) -> None:
        """Wait for a random time, then kill, if the verb is still running."""
        try:
            process.wait(self.rng.uniform(0.0, self.longest_s))
            return
        except subprocess.TimeoutExpired:
            pass
        who = self.rng.choice(list(self.kills))
        try:
            workers = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        if who == "worker":
            if not workers:
                return
            victim = self.rng.choice(workers)
            if "resource_tracker" in " ".join(victim.cmdline()):
                return
            victim.kill()
        elif who == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        self.kills[who] += 1


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file of a store and a dataset, but for times."""
    found = {}
    for place in ("store", "dataset"):
        for path in sorted((folder / place).rglob("*")):
            if path.is_file() and path.name not in TIMED and ".partial" not in path.parts:
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def compare(expected: dict[str, bytes], found: dict[str, bytes]) -> None:
    """Stop where two states differ."""
    if expected != found:
        names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise SystemExit(f"{len(names)} file(s) differ from an undisturbed run's: {names[:10]}")


def main() -> None:
    """Run it all; prints what was done."""
    kills, seed = (int(value) for value in [*sys.argv[1:], *("50", "0")[len(sys.argv) - 1 :]])
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "base"
        base.mkdir()
        (base / "config.yaml").write_text(CONFIG)
        (base / "order.yaml").write_text(ORDER)
        if begin(base, "sample-footage", "--out", "footage").wait():
            raise SystemExit((base / "log").read_text()[-3000:])
        began = time.monotonic()
        # A fresh folder of the same name each time, for a store notes where its dataset lies.
        here = Path(scratch) / "here"
        shutil.copytree(base, here)
        chain(here, None)
        killer, expected = Killer(rng, (time.monotonic() - began) / 2.0), contents(here)
        rounds = 0
        while sum(killer.kills.values()) < kills:
            shutil.rmtree(here)
            shutil.copytree(base, here)
            while not chain(here, killer if sum(killer.kills.values()) < kills else None):
                pass
            compare(expected, contents(here))
            leftovers = list((here / "store" / ".partial").glob("*")) if (here / "store" / ".partial").exists() else []
            rounds += 1
            print(json.dumps({"rounds": rounds, "kills": killer.kills, "leftovers": len(leftovers)}), flush=True)
        shutil.rmtree(here / "dataset")
        order = ("--store", "store", "--out", "dataset", "--order", "order.yaml", "--count", 2)
        runs = [begin(here, "generate", *order, "--seed", seed) for seed in (0, 1)]
        codes = sorted(run.wait() for run in runs)
        if codes != [0, 1] or "is being written by" not in (here / "log").read_text():
            raise SystemExit(f"of two runs into one folder one is to be refused, and they ended with {codes}")
        print(json.dumps({"kills": killer.kills, "rounds": rounds, "files": len(expected), "two runs": codes}))


if __name__ == "__main__":
    main()
