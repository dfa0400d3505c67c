"""Which joint or keypoint lies on the body's other side."""

from pipeline.types import COCO_KEYPOINTS, SMPL_JOINTS


def swapped(names: tuple[str, ...]) -> list[int]:
    """For each name the index of its partner on the other side; those in the middle are their own."""
    other = {"left": "right", "right": "left"}
    halves = (name.partition("_") for name in names)
    return [
        names.index(f"{other[side]}_{rest}" if side in other else f"{side}{mark}{rest}") for side, mark, rest in halves
    ]


SWAPPED_JOINTS = swapped(SMPL_JOINTS)
SWAPPED_KEYPOINTS = swapped(COCO_KEYPOINTS)
