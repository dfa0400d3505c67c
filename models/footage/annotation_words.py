"""What annotation tools call people, furniture, joints and frames, and what we call them."""

import re
from collections.abc import Sequence

from models.types import COCO_KEYPOINTS, SURFACE_LABELS, Role

ROLES: dict[str, Role] = {"person": "person", "staff": "carer", "patient": "resident"}
"""The categories of people, and the roles that they mean."""
CATEGORIES: dict[str, str] = {
    **dict.fromkeys(
        [
            "people",
            "persons",
            "human",
            "humans",
            "pedestrian",
            "pedestrians",
            "man",
            "woman",
            "adult",
            "visitor",
            "guest",
        ],
        "person",
    ),
    **dict.fromkeys(["carer", "carers", "caregiver", "caretaker", "nurse", "doctor", "therapist", "employee"], "staff"),
    **dict.fromkeys(["patients", "resident", "residents", "elder", "elderly", "senior"], "patient"),
    "care worker": "staff",
    "elderly person": "patient",
    "couch": "sofa",
    "settee": "sofa",
    "dining table": "table",
    "desk": "table",
    "armchair": "chair",
    "closet": "wardrobe",
    "cupboard": "wardrobe",
    "carpet": "rug",
    "ground": "floor",
}
"""What other programs call our categories, in lower case, words parted by single spaces."""
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_LIMBS = {name for name in COCO_KEYPOINTS if name.split("_")[-1] not in ("nose", "eye", "ear")}


def category(name: str) -> str:
    """Return our name of a category: of ROLES, of SURFACE_LABELS, or the name as it is where it is none of ours."""
    plain = " ".join(re.split(r"[\s_-]+", name.strip().lower()))
    plain = CATEGORIES.get(plain, plain)
    return plain if plain in ROLES or plain in SURFACE_LABELS else name


def joint_order(names: Sequence[str]) -> list[int | None] | None:
    """Return where each of COCO's keypoints stands among the names of a file, None for one that it lacks.

    Names are read as `left_wrist`, `Left Wrist`, `LWrist`, `wrist_l`; numbers stand for COCO's own order. None where
    shoulders, elbows, wrists, hips, knees or ankles are not all there: another skeleton.
    """
    if [name.strip() for name in names] == [str(number + 1) for number in range(17)]:
        return list(range(17))
    plain = [_joint(name) for name in names]
    if any(plain.count(name) != 1 for name in _LIMBS):
        return None
    return [plain.index(name) if plain.count(name) == 1 else None for name in COCO_KEYPOINTS]


def _joint(name: str) -> str:
    """COCO's name of a joint, as far as it is one."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    words = [word.lower() for word in words]
    side = next((_SIDES[word] for word in words if word in _SIDES), "")
    rest = "_".join(word for word in words if word not in _SIDES)
    return f"{side}_{rest}" if side else rest


def slug(name: str) -> str:
    """Return a name as tools rewrite it: lower case, all that is neither letter nor digit a low line."""
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def frame_name(name: str) -> tuple[str, int | None, bool]:
    """Part the name of a frame's image into what tells the clip, the number, and whether CVAT gave it.

    Roboflow's hash and suffix (`_jpg.rf.<hash>.jpg`) and Label Studio's prefix (`<8 hex digits>-`) are taken off first.
    CVAT (`frame_000012`) counts the video's own frames from 0; what others count is not known by the name alone.
    """
    name = re.sub(r"\.rf\.[0-9A-Za-z]+(?=\.\w+$|$)", "", name)
    name = re.sub(r"(?i)\.(jpe?g|png|bmp|webp|tiff?)$", "", name)
    name = re.sub(r"(?i)_(jpe?g|png|bmp|webp|tiff?)$", "", name)
    name = re.sub(r"^[0-9a-f]{8}-", "", name)
    found = re.fullmatch(r"(?i)(.*?)[-_. ]*(frame|img|image)?[-_. ]*(\d{1,9})", name)
    if not found:
        return name, None, False
    return found[1], int(found[3]), re.fullmatch(r"(?i)frame_\d{6}", name) is not None
