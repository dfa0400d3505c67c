"""Dataclasses to files and back: arrays in one `.npz`, everything else in one `.json`. No pickle.

A value is a tree of dataclasses of `models.types` and `models.geometry.camera`, dicts, tuples, lists, arrays and
scalars. The same value gives the same bytes.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

import models.geometry.camera
import models.geometry.run_lengths
import models.types

_CLASSES = {
    cls.__name__: cls
    for module in (models.types, models.geometry.camera, models.geometry.run_lengths)
    for cls in vars(module).values()
    if dataclasses.is_dataclass(cls) and isinstance(cls, type)
}


def save(value: Any, folder: Path, name: str) -> None:
    """Write `<name>.json` and `<name>.npz` into the folder."""
    arrays: dict[str, np.ndarray] = {}
    tree = _encode(value, arrays)
    (folder / f"{name}.json").write_text(json.dumps(tree))
    with (folder / f"{name}.npz").open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)


def load(folder: Path, name: str) -> Any:
    """Read what `save` wrote."""
    tree = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        return _decode(tree, dict(arrays))


def _encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        key = f"a{len(arrays)}"
        arrays[key] = value
        return {"#array": key}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _encode(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"#class": type(value).__name__, "fields": fields}
    if isinstance(value, dict):
        return {"#dict": [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"#tuple": [_encode(item, arrays) for item in value]}
    if isinstance(value, list):
        return [_encode(item, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"cannot store a {type(value).__name__}; use dataclasses, dicts, tuples, lists, arrays and scalars")


def _decode(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(tree, list):
        return [_decode(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "#array" in tree:
        return arrays[tree["#array"]]
    if "#dict" in tree:
        return {_decode(k, arrays): _decode(v, arrays) for k, v in tree["#dict"]}
    if "#tuple" in tree:
        return tuple(_decode(item, arrays) for item in tree["#tuple"])
    fields = {name: _decode(item, arrays) for name, item in tree["fields"].items()}
    return _CLASSES[tree["#class"]](**fields)
