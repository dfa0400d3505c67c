"""Motion of every format on our body: `IMPORTERS[kind](path, body, betas, fps)` gives the motions of a file or folder.

`betas` are the shape of people whose files have none of this body's. All come out at `fps`, z up, floor at z = 0, the
first person's pelvis beginning at x = y = 0 facing +x, captions of the whole motion in `details["texts"]`, actions
unknown (-1) but for our own clips. Bad input raises InputError.
"""

from collections.abc import Callable
from functools import partial

from models.mocap.importers import amass, artefact, clip, humanml3d, interhuman, skeleton_files
from models.mocap.importers import indexed_folder as index
from models.types import Motion

Importer = Callable[..., list[Motion]]
"""(path, body, betas, fps=20.0) -> motions."""

IMPORTERS: dict[str, Importer] = {
    **{kind: partial(skeleton_files.read, kind) for kind in skeleton_files.READERS},
    "index": index.read,
    "amass": amass.read,
    "humanml3d": humanml3d.read,
    "interhuman": interhuman.read,
    "clip": clip.read,
    "people3d": artefact.read,
}
"""Files of one skeleton by what an index.csv calls them; then folders and files of data sets, and our own."""
