"""glTF 2.0 binary files (.glb): numbers into one buffer, everything else into one JSON, no dependency.

The format is Khronos', "glTF 2.0 Specification" (2021): metres, y up, quaternions xyzw, matrices column by column.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

_COMPONENTS = {"float32": 5126, "uint32": 5125, "uint8": 5121}
_SHAPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}


class Glb:
    """A file in the making: `tree` is the JSON, `add` puts arrays into the buffer."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "careclips"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "accessors": [],
            "bufferViews": [],
        }
        self._data = bytearray()

    def node(self, **content: Any) -> int:
        """Append a node; its index."""
        self.tree["nodes"].append(content)
        return len(self.tree["nodes"]) - 1

    def append(self, kind: str, content: dict[str, Any]) -> int:
        """Append to a list of the tree (meshes, skins, animations); its index."""
        self.tree.setdefault(kind, []).append(content)
        return len(self.tree[kind]) - 1

    def add(self, values: Shaped[np.ndarray, "count *shape"]) -> int:
        """Append an accessor over float32, uint32 or uint8 values; matrices come as rows, as numpy has them."""
        kind = _SHAPES[values.shape[1:]]
        stored = np.ascontiguousarray(values.swapaxes(1, 2) if kind == "MAT4" else values)
        self._data += b"\0" * (-len(self._data) % 4)
        view = {"buffer": 0, "byteOffset": len(self._data), "byteLength": stored.nbytes}
        self._data += stored.tobytes()
        self.tree["bufferViews"].append(view)
        accessor = {
            "bufferView": len(self.tree["bufferViews"]) - 1,
            "componentType": _COMPONENTS[values.dtype.name],
            "count": len(values),
            "type": kind,
        }
        if kind != "MAT4":
            # Required of positions and of times, and harmless elsewhere.
            flat = values.reshape(len(values), -1)
            accessor |= {"min": flat.min(axis=0).tolist(), "max": flat.max(axis=0).tolist()}
        return self.append("accessors", accessor)

    def write(self, path: Path) -> None:
        """Write the file: header, JSON chunk padded with spaces, binary chunk padded with zeros."""
        self._data += b"\0" * (-len(self._data) % 4)
        text = json.dumps(self.tree | {"buffers": [{"byteLength": len(self._data)}]}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + len(self._data)
        with path.open("wb") as handle:
            handle.write(struct.pack("<4sII", b"glTF", 2, size))
            handle.write(struct.pack("<I4s", len(text), b"JSON") + text)
            handle.write(struct.pack("<I4s", len(self._data), b"BIN\0") + self._data)
