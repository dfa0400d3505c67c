"""What lies on the body's other side: joints, keypoints, words."""

import re

from models.types import COCO_KEYPOINTS


def swapped(names: tuple[str, ...]) -> list[int]:
    """Return for each name the index of its partner on the other side; those in the middle are their own."""
    other = {"left": "right", "right": "left"}
    halves = (name.partition("_") for name in names)
    return [
        names.index(f"{other[side]}_{rest}" if side in other else f"{side}{mark}{rest}") for side, mark, rest in halves
    ]


SWAPPED_KEYPOINTS = swapped(COCO_KEYPOINTS)

_OTHER_WORDS = {
    "left": "right",
    "right": "left",
    "clockwise": "counterclockwise",
    "counterclockwise": "clockwise",
    "anticlockwise": "clockwise",
}
_WORDS = re.compile(rf"(?<![a-z])({'|'.join(_OTHER_WORDS)})(?![a-z])", re.IGNORECASE)


def mirrored_text(text: str) -> str:
    """Return the text with left and right exchanged, as true of the mirrored motion as it was of the motion.

    Every such word counts as a side: who writes "they left" must find another word.
    """

    def other(match: re.Match[str]) -> str:
        word = _OTHER_WORDS[match[0].lower()]
        return word.capitalize() if match[0][0].isupper() else word

    return _WORDS.sub(other, text)
