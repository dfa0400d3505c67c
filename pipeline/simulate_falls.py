"""`careclips falls simulate`: falls by physics, on bare or furnished floor or in a room of a store."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from models.errors import InputError
from models.files import check_replaceable, replaced
from models.mocap import clip_file
from models.order import CAUSE_DIRECTIONS, Cause, Direction
from models.seeds import generator
from pipeline.loaders import body_model
from pipeline.outcomes import SetAside
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.runner import Runner, load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import simulate_falls as stage


def simulate_one_fall(
    settings: Settings, cause: str | None, direction: str | None, item: str, folder: Path, room: Any
) -> dict[str, Any]:
    """Simulate one fall, written to `folder/<item>.npz`, and what is to know of it."""
    rng = generator(settings.seed, "falls", item)
    kinds: list[tuple[Cause, Direction]] = [
        (c, d)
        for c, directions in CAUSE_DIRECTIONS.items()
        for d in directions
        if cause in (None, c) and direction in (None, d)
    ]
    chosen = kinds[int(rng.integers(len(kinds)))]
    started = time.process_time()
    body = body_model(settings.run.body)
    motion = stage.run(settings.falls, body, *chosen, rng, room)
    seconds = time.process_time() - started
    clip_file.write_motion(motion, folder / f"{item}.npz", body, None if room is None else room.camera)
    return {"motion": motion, "seconds": seconds}


@holds("out")
def simulate_falls(
    out: Path,
    count: int,
    settings: Settings,
    runner: Runner,
    cause: str | None = None,
    direction: str | None = None,
    store: str | Path | None = None,
    room: str | None = None,
) -> dict:
    """Write simulated falls as npz files, on a bare or furnished floor or in a room of a store; figures in
    `summary.json`."""
    if cause is not None and cause not in CAUSE_DIRECTIONS:
        raise InputError("cause", f"is {cause}", f"name one of {', '.join(CAUSE_DIRECTIONS)}")
    known = (
        CAUSE_DIRECTIONS[cause]
        if cause
        else sorted({d for directions in CAUSE_DIRECTIONS.values() for d in directions})
    )
    if direction is not None and direction not in known:
        raise InputError(
            "direction",
            f"is {direction}, and {cause or 'no cause'} throws nobody that way",
            f"name one of {', '.join(known)}",
        )
    check_replaceable(out, "summary.json")
    built = None
    if room is not None:
        if store is None:
            raise InputError("room", f"is {room}, and no store is named", "add --store STORE")
        rooms = read_store_index(Store(store)).rooms
        if room not in rooms:
            raise InputError(store, f"has no room {room!r}", f"use {', '.join(rooms)}")
        built = load_value(Store(store), "room", rooms[room])
    with replaced(out) as folder:
        work = [(f"fall_{i:05d}", (settings, cause, direction, f"fall_{i:05d}", folder, built)) for i in range(count)]
        outcomes = runner("simulating falls", simulate_one_fall, work)
        set_aside = SetAside()
        made = set_aside.values("simulating falls", outcomes)
        dropped = Counter(one["reason"].split(":")[0] for one in set_aside.skipped)
        motions = [one["motion"] for one in made.values()]
        summary = stage.metrics(motions, dropped, sum(one["seconds"] for one in made.values())) | {
            "falls": {item: one["motion"].details for item, one in made.items()},
            "seed": settings.seed,
            "room": room,
            **set_aside.summary(),
        }
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
        set_aside.write_tracebacks(folder)
    if not made:
        raise InputError("falls", f"none could be simulated: {dict(dropped)}", "try another cause, direction or room")
    return summary
