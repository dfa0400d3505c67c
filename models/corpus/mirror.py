"""A corpus item seen in a mirror: its motion, and left and right in its captions."""

from dataclasses import replace

from models.body.mirror import mirrored_motion
from models.body.model import BodyModel
from models.body.sides import mirrored_text
from models.corpus.writer import Item

MIRRORED = "_mirrored"
"""What names of mirrored items end in."""


def mirrored_item(item: Item, body: BodyModel) -> Item:
    """Return a corpus item in the mirror, of the same take, with mirrored captions."""
    texts = tuple(mirrored_text(text) for text in item.texts)
    return replace(item, name=f"{item.name}{MIRRORED}", motion=mirrored_motion(item.motion, body), texts=texts)
