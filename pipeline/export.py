"""`careclips export`: lifted or made motion for other programs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from models import types
from models.errors import InputError
from models.mocap import clip_file
from models.mocap.bvh import write_bvh
from models.mocap.export import motion_glb, track_bvh
from models.mocap.importers.artefact import read_artefact
from pipeline.derived import note_derived_of
from pipeline.loaders import body_model
from pipeline.settings import Settings
from pipeline.store import artefact_folder


def read_motion(item: str, body: Any) -> types.Motion:
    """Read the motion of STORE/people3d/<key>, of a made clip STORE/clip/<key>, or of DATASET/clips/<id>.npz.

    Raises InputError where it holds none, or was lifted with another body: betas do not carry over.
    """
    return clip_file.read_motion(Path(item)) if item.endswith(".npz") else read_artefact(artefact_folder(item), body)


def export(item: str, out: Path, kind: str, person: str | None, mesh: bool, settings: Settings) -> None:
    """Write a motion, or one person of it, as `npz`, `bvh` or `glb`; a BVH file holds one person."""
    body = body_model(settings.run.body)
    motion = read_motion(item, body)
    names = [track.person for track in motion.people]
    if person is None and kind == "bvh" and len(names) > 1:
        raise InputError("--format bvh", f"holds one person, and there are {', '.join(names)}", "choose with --person")
    if person is not None:
        if person not in names:
            raise InputError("--person", f"{person!r} is not there", f"choose from {', '.join(names)}")
        index = names.index(person)
        motion = replace(motion, people=(motion.people[index],), actions=motion.actions[index : index + 1])
    note_derived_of(item, out)
    if kind == "npz":
        clip_file.write_motion(motion, out, body)
    elif kind == "bvh":
        write_bvh(track_bvh(body, motion.people[0], motion.timestamps_s), out)
    else:
        motion_glb(body, motion, mesh).write(out)
