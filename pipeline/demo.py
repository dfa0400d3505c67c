"""`careclips demo`: the main job from end to end."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.files import write_text
from pipeline.evaluate import evaluate
from pipeline.generate import generate
from pipeline.output_folder import holds
from pipeline.reconstruct import reconstruct
from pipeline.runner import PeakMemory, Runner
from pipeline.sample_footage import make_sample_footage
from pipeline.settings import Settings

log = logging.getLogger(__name__)


@holds("out")
def demo(footage: Path | None, out: Path, settings: Settings, runner: Runner, order: Path, count: int) -> dict:
    """Run the main job from end to end; returns counts and timings."""
    started = time.perf_counter()
    timings: dict[str, float] = {}
    own = footage is not None

    def timed(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        begin = time.perf_counter()
        value = function(*arguments)
        timings[name] = time.perf_counter() - begin
        return value

    with PeakMemory() as memory:
        if footage is None:
            footage = out / "footage"
            timed("sample footage", make_sample_footage, footage, settings, runner)
        rebuilt = timed("reconstruct", reconstruct, footage, out / "store", settings, runner)
        made = timed("generate", generate, out / "store", order, count, out / "dataset", settings, runner)
        gain = None
        try:
            gain = timed("evaluate", evaluate, out / "store", out / "dataset", out / "evaluation", settings)
        except InputError as error:
            if not own:
                raise
            log.warning("the gain is not measured: %s", error)
    summary = {
        "report": str(out / "dataset" / "report.html"),
        "rooms": len(rebuilt["rooms"]),
        "clips": len(rebuilt["clips"]),
        "people": sum(clip["people"] for clip in rebuilt["clips"]),
        "footage_rejected": len(rebuilt["skipped"]),
        "requested": made["requested"],
        "accepted": made["accepted"],
        "rejected": made["rejected"],
        "sources": made["sources"],
        "gain": gain["gain"] if gain else None,
        "verdict": gain["verdict"] if gain else "not measured",
        "defects": [*rebuilt["defects"], *made["defects"]],
        "timings_s": timings,
        "total_seconds": time.perf_counter() - started,
        "peak_memory_mib": memory.mib,
    }
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    return summary
