"""`careclips sample`: motions of one sentence."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models import types
from models.errors import InputError
from models.files import check_replaceable, replaced
from models.mocap import clip_file
from models.motion.model import load_motion_model, motion_model_digest
from models.rendering.film_strip import motion_strip
from models.text.encoder import TextEncoder
from pipeline.loaders import body_model
from pipeline.output_folder import holds
from pipeline.settings import Settings
from stages import sample_motion


@holds("out")
def sample(text: str, people: int, frames: int, count: int, out: Path, settings: Settings, roles: list[str]) -> dict:
    """Sample motions of one sentence: a npz and a film strip each, and `summary.json`."""
    config, body = settings.sample_motion, body_model(settings.run.body)
    if roles and len(roles) != people:
        raise InputError("role", f"is given {len(roles)} times for {people} people", "give one for each, or none")
    if unknown := sorted(set(roles) - set(types.Role.__args__)):
        raise InputError("role", f"is {unknown[0]}", f"use {', '.join(types.Role.__args__)}")
    check_replaceable(out, "summary.json")
    model = load_motion_model(config.model, config.device)
    encoder = TextEncoder(config.text)
    sample_motion.check(model, encoder, text, people, frames)
    who: Any = roles or sample_motion.roles_of(text, people)
    began = time.monotonic()
    requests = sample_motion.draw_requests(body, text, who, frames, count, settings.seed)
    motions = sample_motion.run(config, model, encoder, body, requests)
    seconds = time.monotonic() - began
    with replaced(out) as folder:
        for number, motion in enumerate(motions):
            clip_file.write_motion(motion, folder / f"motion_{number:04d}.npz", body)
            shown = np.linspace(0, frames - 1, 8).round().astype(int)
            looks = [
                types.BodyLook(number * 16 + slot, 80.0 if track.role == "resident" else 40.0)
                for slot, track in enumerate(motion.people)
            ]
            picture = motion_strip(body, motion, shown, 240, 320, looks)
            Image.fromarray(picture).save(folder / f"motion_{number:04d}.jpg", quality=88)
        summary = {
            "text": text,
            "roles": list(who),
            "people": people,
            "frames": frames,
            "count": count,
            "seed": settings.seed,
            "model": config.model,
            "model_digest": motion_model_digest(config.model),
            "seconds_per_motion": seconds / count,
        }
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    return summary
