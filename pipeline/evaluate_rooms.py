"""`careclips evaluate rooms`: how well the rooms of a store were rebuilt, against rooms drawn by hand."""

import json
from pathlib import Path

import cv2
import numpy as np

from models.errors import InputError
from models.files import write_bytes, write_text
from pipeline.derived import note_derived
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.runner import load_value
from pipeline.store import Store
from stages import evaluate_rooms as stage


@holds("out")
def evaluate_rooms(store: str | Path, truth: Path, out: Path) -> dict:
    """Compare a store's rooms with what was drawn of them; written to `out/summary.json`, and a picture a camera.

    Cameras are found by the names of room and camera. InputError where the store has none of those that were drawn.
    """
    drawn, source = stage.read_drawn_rooms(truth), Store(store)
    index = read_store_index(source)
    summary: dict = {"floor_iou": {}, "floor_precision": {}, "floor_recall": {}, "verdicts": {}, "not_in_store": []}
    note_derived(source, out)
    out.mkdir(parents=True, exist_ok=True)
    for camera in drawn.cameras:
        name = "/".join(part for part in (camera.room, camera.camera) if part)
        if name not in index.rooms:
            summary["not_in_store"].append(name)
            continue
        room = load_value(source, "room", index.rooms[name])
        floor = stage.drawn_floor(drawn, camera, room)
        if not floor.any():
            problem = f"the floor of {name} lies outside of {drawn.width} x {drawn.height} pixels"
            raise InputError(truth, problem, "give width and height of the images that were drawn in")
        for figure, value in stage.run(room, floor).items():
            summary[f"floor_{figure}"][name] = value
        summary["verdicts"][name] = room.verdict
        image = cv2.imencode(".jpg", stage.picture(room, floor)[..., ::-1])[1]
        write_bytes(out / f"{name.replace('/', '_')}.jpg", image.tobytes())
    if not summary["floor_iou"]:
        there = ", ".join(index.rooms) or "none"
        raise InputError(
            truth, f"names none of the store's rooms ({there})", "name rooms and cameras as the store does"
        )
    known = [value for value in summary["floor_iou"].values() if value is not None]
    summary["floors"] = {"drawn": len(summary["floor_iou"]), "found": len(known)}
    summary["floor_iou_median"] = float(np.median(known)) if known else None
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    return summary
