"""`careclips sample-footage`: rooms with acting people, and their exact truth."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.files import check_replaceable, digest, replaced
from pipeline.outcomes import require_all
from pipeline.output_folder import holds
from pipeline.runner import Runner
from pipeline.settings import Settings
from stages import sample_footage


@holds("out")
def make_sample_footage(out: Path, settings: Settings, runner: Runner) -> dict:
    """Render sample footage with its truth into a folder; kept as it is where it was made from the same values
    before."""
    config = settings.sample_footage
    stamp = digest({"config": config.key_values(), "seed": settings.seed, "version": sample_footage.VERSION})
    if (out / "summary.json").exists():
        summary = json.loads((out / "summary.json").read_text())
        if summary.get("made_from") == stamp:
            return {**summary, "recomputed": False}
        raise InputError(out, "holds sample footage of other values", "remove it or name another folder")
    check_replaceable(out, "summary.json")
    started = time.perf_counter()

    def each_room(function: Callable[..., Any], numbers: Any) -> list:
        work = [(f"room {number + 1}", (number,)) for number in numbers]
        return require_all(out, "filming rooms", runner("filming rooms", function, work))

    with replaced(out) as folder:
        counts = sample_footage.run(config, folder, settings.seed, each_room)
        summary = {**counts, "seed": settings.seed, "made_from": stamp, "seconds": time.perf_counter() - started}
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    return {**summary, "recomputed": True}
