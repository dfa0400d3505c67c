"""The values that flow between stages. Frozen; arrays are numpy; every field names its unit and frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from models.geometry.camera import Camera
from models.geometry.lens import Lens

Action = Literal[
    "walk", "fall", "fallen", "sit_down", "sitting", "lie_down", "lying", "stand_up", "standing", "other",
    "kneel_down", "kneeling", "squat_down", "squatting", "crawl", "jump",
]  # fmt: skip
ACTIONS: tuple[str, ...] = Action.__args__
"""OmniFall's sixteen classes, in its order; labels are indices into this."""

Role = Literal["resident", "carer", "visitor", "person"]

COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip

SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

SURFACE_LABELS = ("floor", "wall", "bed", "chair", "sofa", "table", "wardrobe", "window", "door", "rug", "other")


@dataclass(frozen=True)
class Footage:
    """One video clip of a fixed camera, as ingest found it. The images stay in the file."""

    clip: str
    """Name of the clip, unique in its collection: the path below the footage root, with / as __, without suffix."""
    path: str
    """The video file or the folder of images, relative to the footage folder."""
    site: str
    room: str
    camera: str
    """Names; clips with the same (site, room, camera) share one room, one plate, one calibration."""
    timestamps_s: Float[np.ndarray, "time"]
    """True presentation times, seconds from the first frame, strictly increasing."""
    width_px: int
    height_px: int
    sha256: str
    """Digest of the video's bytes."""
    lens: Lens | None = None
    """What distorts the file's images; all else that is known of the clip is of undistorted ones
    (`models.footage.undistorted`)."""
    coded_width_px: int | None = None
    coded_height_px: int | None = None
    """Size of the file's own upright pictures where its pixels are not square and so were resampled to
    `width_px` x `height_px`; None where the sizes are the same. Annotations and camera files may be of either size."""

    @property
    def coded_px(self) -> tuple[int, int] | None:
        """Width and height of the file's own pictures where its pixels are not square."""
        if self.coded_width_px is None or self.coded_height_px is None:
            return None
        return self.coded_width_px, self.coded_height_px


@dataclass(frozen=True)
class Annotations:
    """What a COCO sidecar says of one clip, on the clip's own frame numbers and its undistorted images."""

    people: "tuple[Person2D, ...]"
    actions: Int[np.ndarray, "person time"]
    """Index into ACTIONS per person and frame, -1 where not annotated."""
    surfaces: dict[str, Bool[np.ndarray, "height width"]] = field(default_factory=dict)
    """Masks of floor, wall and furniture by label of SURFACE_LABELS, merged over key frames."""
    person_masks: Mapping[int, Bool[np.ndarray, "height width"]] = field(default_factory=dict)
    """Union of the people's masks on each frame that has any; `RunLengthMasks` decodes each when it is asked for."""
    listed: Bool[np.ndarray, "time"] | None = None
    """Frames that the sidecar lists: whoever is not annotated there is not there. None: those with anybody in them."""


@dataclass(frozen=True)
class Person2D:
    """One person's track in the image over all frames of a clip."""

    person: str
    role: Role
    visible: Bool[np.ndarray, "time"]
    """Whether the person was found in the frame; other rows of a frame without are zero."""
    boxes_px: Float[np.ndarray, "time 4"]
    """x0, y0, x1, y1."""
    keypoints_px: Float[np.ndarray, "time 17 2"]
    """COCO-17."""
    scores: Float[np.ndarray, "time 17"]
    """Confidence of each keypoint in [0, 1]; 0 is not seen."""


@dataclass(frozen=True)
class PersonTrack:
    """One person's SMPL motion. Lengths in metres, rotations axis-angle in radians."""

    person: str
    role: Role
    betas: Float[np.ndarray, "10"]
    """Shape, of the body model named in the artefact's meta; never carried to another body model."""
    global_orient: Float[np.ndarray, "time 3"]
    """Orientation of the body's own axes (y up, facing z) in the frame of the motion."""
    body_pose: Float[np.ndarray, "time 69"]
    """Axis-angle of joints 1 to 23, flattened."""
    transl: Float[np.ndarray, "time 3"]
    """SMPL's translation: the pelvis lies at transl + J0(betas), not at transl."""
    visible: Bool[np.ndarray, "time"]
    """Whether the frame was observed; other frames are bridged."""
    confidence: Float[np.ndarray, "time"]
    """In [0, 1]."""


@dataclass(frozen=True)
class Motion:
    """N people at the same timestamps in one frame (world unless said otherwise)."""

    timestamps_s: Float[np.ndarray, "time"]
    people: tuple[PersonTrack, ...]
    actions: Int[np.ndarray, "person time"]
    """Index into ACTIONS per person and frame; -1 is unknown."""
    source: str
    """Where it came from: a file name, 'physics', 'people3d', ..."""
    details: dict = field(default_factory=dict)
    """Facts of the source: cause, direction, onset_s, impact_s, rest_s, caption, licence."""


@dataclass(frozen=True)
class DepthScan:
    """Depth of a fixed camera's empty room."""

    depth: Float[np.ndarray, "height width"]
    """Along the optical axis, metres."""
    valid: Bool[np.ndarray, "height width"]
    """Pixels that at least one key frame shows without a person."""
    scale: float
    offset: float
    """a and b of disparity -> 1 / (a d + b)."""
    residual: float
    """Median |a d + b - 1/m| * m over the pixels used: relative disagreement of the two predictions."""


@dataclass(frozen=True)
class Calibration:
    """A camera found from the people it saw and the lines of its room, or read from a file."""

    camera: Camera
    method: Literal["file", "people", "prior"]
    height_interval_m: tuple[float, float]
    """95 % interval of the camera's height."""
    residual_px: float
    """Median distance between seen and predicted heads, pixels; 0 for a file."""
    frames_used: int
    condition: float
    """Condition number of the estimate: high where nobody walked and pitch and height are undetermined together."""
    lines_followed: int = 0
    """Straight lines of the room that run along its three axes, within two standard deviations."""


@dataclass(frozen=True)
class SupportSurface:
    """Something a person can sit, lie or land on."""

    label: str
    height_m: float
    outline: Float[np.ndarray, "corner 2"]
    """Convex outline, world x and y, metres."""


@dataclass(frozen=True)
class Room:
    """One fixed camera's room in metres."""

    room: str
    camera: Camera
    plate: UInt8[np.ndarray, "height width 3"]
    """RGB without people."""
    depth: Float[np.ndarray, "height width"]
    """Depth along the optical axis in the room's scale, metres."""
    surfaces: Int[np.ndarray, "height width"]
    """Index into SURFACE_LABELS per pixel; -1 unknown."""
    floor_inlier_ratio: float
    floor_residual_m: float
    walkable: Bool[np.ndarray, "x y"]
    """Cells where a foot can stand: seen, floor, clear of furniture."""
    occupancy: Int[np.ndarray, "x y z"]
    """0 free, 1 occupied, 2 unseen (behind what the one camera sees)."""
    signed_distance: Float[np.ndarray, "x y z"]
    """Metres to the nearest occupied cell, negative inside."""
    grid_origin: Float[np.ndarray, "3"]
    """World coordinates of the corner of cell (0, 0, 0)."""
    grid_cell_m: float
    supports: tuple[SupportSurface, ...]
    scale_disagreement: float
    """|depth's floor height / people's floor height - 1|."""
    occlusion: bool
    """Whether the depth may hide bodies behind furniture: False where the scale disagrees too much."""
    verdict: str
    """'ok' or what is wrong, in words."""


@dataclass(frozen=True)
class BodyLook:
    """How a body is dressed: everything random about its looks is in the seed."""

    seed: int
    age: float
    """Years."""


@dataclass(frozen=True)
class Scene:
    """Everything a clip is rendered from."""

    room: Room
    motion: Motion
    looks: tuple[BodyLook, ...]
    light_direction_world: Float[np.ndarray, "3"]
    """Unit vector from the light towards the room."""


@dataclass(frozen=True)
class LabelledClip:
    """What is true of a rendered clip; its images and masks lie beside it as videos."""

    clip: str
    room: str
    camera: Camera
    motion: Motion
    """In the room's world, with the final labels in `actions`."""
    order: dict
    """The drawn order that it answers."""
    statures_m: tuple[float, ...]
    boxes_px: Float[np.ndarray, "person time 4"]
    """x0, y0, x1, y1 around what is visible; zero where nothing is."""
    keypoints_px: Float[np.ndarray, "person time 17 2"]
    keypoints_visible: Int[np.ndarray, "person time 17"]
    """COCO's flag: 0 outside the image, 1 in the image but hidden, 2 visible."""
    joints_world: Float[np.ndarray, "person time 24 3"]
    visibility: Float[np.ndarray, "person time"]
    """Share of the body's silhouette that the room, the image border and other people leave visible."""


def smpl_poses(person: PersonTrack) -> Float[np.ndarray, "time 72"]:
    """Return axis-angle of all 24 joints, root first."""
    return np.concatenate([person.global_orient, person.body_pose], axis=1)


def take(track: PersonTrack, frames: Shaped[np.ndarray, "kept"]) -> PersonTrack:
    """Return the track on some of its frames (indices or a mask)."""
    return replace(
        track,
        global_orient=track.global_orient[frames],
        body_pose=track.body_pose[frames],
        transl=track.transl[frames],
        visible=track.visible[frames],
        confidence=track.confidence[frames],
    )


FPS = 20.0
