"""`careclips doctor`: system libraries, and every configured model with a known frame."""

import functools
import json
from pathlib import Path
from typing import Any

from models.files import write_text
from models.types import Footage
from pipeline.loaders import sampled_motion
from pipeline.output_folder import holds
from pipeline.settings import Settings
from stages import doctor as checks
from stages import people2d


@holds("out")
def doctor(out: Path, settings: Settings) -> list[dict[str, Any]]:
    """Check libraries and models: what was checked, whether it is fine, and what was seen; also written to
    `out/summary.json`."""
    poses, used, sampling = settings.people2d, settings.run, settings.sample_motion

    def find_poses(footage: Footage, frames: Any) -> tuple[list, dict]:
        return people2d.run(poses, footage, frames)

    finder = None if poses.backend.kind == "sidecar" else find_poses
    source = None
    if used.motion != "simulated":
        source = functools.partial(sampled_motion, used.body, sampling.model_dump_json())
    found = checks.run(used.body, settings.depth_models, finder, source)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "summary.json", json.dumps({"checks": found}, indent=1))
    return found
