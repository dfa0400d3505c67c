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
from models.errors import InputError
from models.files import read_arrays
from models.text_files import read_json

MAKE_AGAIN = "run the verb that made it again"
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
    """Read what `save` wrote; InputError where the files are damaged, or of another version of careclips."""
    path = folder / f"{name}.json"
    return _decode(read_json(path, constants=True), read_arrays(folder / f"{name}.npz"), path)


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


def _decode(tree: Any, arrays: dict[str, np.ndarray], path: Path) -> Any:
    def inner(value: Any) -> Any:
        return _decode(value, arrays, path)

    if isinstance(tree, list):
        return [inner(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    match tree:
        case {"#array": str(key)} if key in arrays:
            return arrays[key]
        case {"#dict": list(pairs)} if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            return {inner(key): inner(value) for key, value in pairs}
        case {"#tuple": list(items)}:
            return tuple(inner(item) for item in items)
        case {"#class": str(name), "fields": dict(fields)}:
            cls = _CLASSES.get(name)
            if cls is None or not fields.keys() <= {one.name for one in dataclasses.fields(cls)}:
                raise InputError(path, f"holds a {name:.40} that this version does not know", MAKE_AGAIN)
            values = {field: inner(item) for field, item in fields.items()}
            lacking = [one.name for one in dataclasses.fields(cls) if _needed(one) and one.name not in values]
            if lacking:
                raise InputError(path, f"holds a {name} without {', '.join(lacking)}", MAKE_AGAIN)
            return cls(**values)
    raise InputError(path, "is damaged: it is not what careclips writes", MAKE_AGAIN)


def _needed(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
