"""`frames.parquet`: one row a frame and person, in a folder of parts that readers of Parquet take for one table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.geometry.camera import image_projection
from models.types import ACTIONS, LabelledClip, smpl_poses

NUMBERS = pa.list_(pa.float64())
SCHEMA = pa.schema(
    {
        "clip": pa.string(),
        "frame": pa.int64(),
        "timestamp_s": pa.float64(),
        "person": pa.string(),
        "role": pa.string(),
        "action": pa.string(),
        "bbox_xyxy_px": NUMBERS,
        "visibility": pa.float64(),
        "keypoints_px": NUMBERS,
        "keypoints_visible": pa.list_(pa.int64()),
        "joints_world": NUMBERS,
        "smpl_poses": NUMBERS,
        "smpl_betas": NUMBERS,
        "smpl_transl": NUMBERS,
        "room": pa.string(),
        "intrinsics": NUMBERS,
        "distortion_model": pa.string(),
        "distortion": NUMBERS,
        "T_world_camera": NUMBERS,
    }
)
CLIPS_AT_ONCE = 16
"""Clips of a row group: what a writer holds in memory."""


class FramesWriter:
    """Writes parts, `clips_per_part` clips each, into a folder that may hold earlier ones."""

    def __init__(self, folder: Path, clips_per_part: int):
        self.folder, self.clips_per_part = folder, clips_per_part
        folder.mkdir(exist_ok=True)
        self.parts: list[list[str]] = []
        """Ids of the clips of each part."""
        self._first = len(list(folder.glob("part-*.parquet")))
        self._waiting: list[pa.Table] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, clip: LabelledClip) -> None:
        """Add a clip's rows."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self.folder / f"part-{self._first + len(self.parts):05d}.parquet", SCHEMA, compression="zstd"
            )
            self.parts.append([])
        self.parts[-1].append(clip.clip)
        self._waiting.append(frame_table(clip))
        if len(self._waiting) == CLIPS_AT_ONCE:
            self._flush()
        if len(self.parts[-1]) == self.clips_per_part:
            self.close()

    def close(self) -> None:
        """Finish the part that was begun."""
        if self._writer is not None:
            self._flush()
            self._writer.close()
            self._writer = None

    def _flush(self) -> None:
        if self._waiting:
            assert self._writer is not None
            self._writer.write_table(pa.concat_tables(self._waiting))
            self._waiting = []


def frame_table(clip: LabelledClip) -> pa.Table:
    """Build a clip's rows, person by person; lists are flat, rows first."""
    count = len(clip.motion.timestamps_s)
    pixels = image_projection(clip.camera)
    tables = []
    for index, person in enumerate(clip.motion.people):
        actions = [ACTIONS[action] if action >= 0 else "" for action in clip.motion.actions[index]]
        columns = {
            "clip": _same(clip.clip, count),
            "frame": pa.array(np.arange(count)),
            "timestamp_s": pa.array(clip.motion.timestamps_s),
            "person": _same(person.person, count),
            "role": _same(person.role, count),
            "action": pa.array(actions),
            "bbox_xyxy_px": _lists(clip.boxes_px[index]),
            "visibility": pa.array(clip.visibility[index]),
            "keypoints_px": _lists(clip.keypoints_px[index]),
            "keypoints_visible": _lists(clip.keypoints_visible[index], np.int64),
            "joints_world": _lists(clip.joints_world[index]),
            "smpl_poses": _lists(smpl_poses(person)),
            "smpl_betas": _repeated(person.betas, count),
            "smpl_transl": _lists(person.transl),
            "room": _same(clip.room, count),
            "intrinsics": _repeated(pixels["intrinsics"], count),
            "distortion_model": _same(str(pixels["distortion_model"]), count),
            "distortion": _repeated(pixels["distortion"], count),
            "T_world_camera": _repeated(clip.camera.T_world_camera, count),
        }
        tables.append(pa.table(columns, SCHEMA))
    return pa.concat_tables(tables)


def _same(value: str, count: int) -> pa.Array:
    return pa.array([value] * count)


def _repeated(value: np.ndarray, count: int) -> pa.Array:
    return _lists(np.broadcast_to(value.ravel(), (count, value.size)))


def _lists(values: np.ndarray, dtype: type = np.float64) -> pa.Array:
    """A list a row."""
    flat = np.ascontiguousarray(values, dtype).reshape(len(values), -1)
    offsets = np.arange(len(values) + 1, dtype=np.int32) * flat.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat.ravel()))


def read_clips(table: Path, columns: list[str]) -> Iterator[tuple[str, pa.Table]]:
    """Read `frames.parquet` clip by clip, in order: its id and its rows; a single file, as written before, too."""
    for path in sorted(table.glob("*.parquet")) if table.is_dir() else [table]:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, ["clip", *columns])
                names = rows["clip"].to_numpy()
                for name in dict.fromkeys(names.tolist()):
                    yield name, rows.filter(pa.array(names == name))
