"""People and keypoints through `transformers`: RT-DETR finds boxes, ViTPose finds COCO-17 in each box.

Both by hub id with a revision, or by local folder. The processors are the Pillow ones: torchvision is not needed.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from models.errors import InputError
from models.networks import device_of, from_pretrained, is_hub_id
from models.people2d.association import FrameDetections
from models.people2d.pose2d import Pose2D
from models.people2d.tracklets import torso_appearance


class TransformersPose:
    """A detector and a top-down pose network."""

    def __init__(
        self, detector: str, detector_revision: str | None, pose: str, pose_revision: str | None, device: str = "cpu"
    ):
        from transformers import (
            RTDetrForObjectDetection,
            RTDetrImageProcessorPil,
            VitPoseForPoseEstimation,
            VitPoseImageProcessorPil,
        )

        self.device = device_of("people2d.backend.device", device)
        self.detector_processor = _load(RTDetrImageProcessorPil, detector, detector_revision, "detector")
        self.detector = _load(RTDetrForObjectDetection, detector, detector_revision, "detector").to(self.device).eval()
        self.pose_processor = _load(VitPoseImageProcessorPil, pose, pose_revision, "pose")
        self.pose = _load(VitPoseForPoseEstimation, pose, pose_revision, "pose").to(self.device).eval()
        names = {str(name).lower(): int(index) for index, name in dict(self.detector.config.id2label or {}).items()}
        if "person" not in names:
            raise InputError(detector, "has no class 'person'", "set people2d.backend.detector to a COCO detector")
        if self.pose.config.num_labels != 17:
            found = f"gives {self.pose.config.num_labels} keypoints, expected COCO's 17"
            raise InputError(pose, found, "set people2d.backend.pose to a COCO ViTPose")
        self.person_label = names["person"]

    @torch.inference_mode()
    def detect(
        self, rgb: UInt8[np.ndarray, "height width 3"], min_detection_score: float
    ) -> Float[np.ndarray, "person 4"]:
        """Return boxes (x0, y0, x1, y1) of people, pixels, the surest first."""
        inputs = self.detector_processor(images=Image.fromarray(rgb), return_tensors="pt").to(self.device)
        outputs = self.detector(pixel_values=inputs["pixel_values"])
        found = self.detector_processor.post_process_object_detection(
            outputs, threshold=min_detection_score, target_sizes=[rgb.shape[:2]]
        )[0]
        kept = found["labels"] == self.person_label
        limit = np.array([rgb.shape[1], rgb.shape[0]] * 2, dtype=np.float64)
        boxes = np.clip(found["boxes"][kept].double().cpu().numpy().reshape(-1, 4), 0.0, limit)
        return boxes[np.all(boxes[:, 2:] - boxes[:, :2] >= 2.0, axis=1)]

    @torch.inference_mode()
    def keypoints(
        self, rgb: UInt8[np.ndarray, "height width 3"], boxes_px: Float[np.ndarray, "person 4"]
    ) -> list[Pose2D]:
        """Return COCO-17 of the person in each box."""
        if not len(boxes_px):
            return []
        # ViTPose's processor takes COCO boxes: corner and size.
        boxes = [np.concatenate([boxes_px[:, :2], boxes_px[:, 2:] - boxes_px[:, :2]], axis=1)]
        inputs = self.pose_processor(images=Image.fromarray(rgb), boxes=boxes, return_tensors="pt").to(self.device)
        extra = {}
        if getattr(self.pose.config.backbone_config, "num_experts", 1) > 1:
            # ViTPose+ has one expert per data set; 0 is COCO.
            extra["dataset_index"] = torch.zeros(len(boxes_px), dtype=torch.long, device=self.device)
        outputs = self.pose(pixel_values=inputs["pixel_values"], **extra)
        found = self.pose_processor.post_process_pose_estimation(outputs, boxes=boxes, threshold=None)[0]
        return [
            Pose2D(
                person["keypoints"].double().cpu().numpy(),
                np.clip(person["scores"].double().cpu().numpy(), 0.0, 1.0),
                0,
            )
            for person in found
        ]

    def detect_people(
        self,
        frames: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]],
        min_detection_score: float,
        min_score: float,
    ) -> Iterator[FrameDetections]:
        """Yield everybody's pose and appearance in every frame, for `association.associate`."""
        for time_s, rgb in frames:
            found = [p for p in self.keypoints(rgb, self.detect(rgb, min_detection_score)) if p.score >= min_score]
            yield time_s, found, [torso_appearance(rgb, pose) for pose in found]


def _load(kind: type, name: str, revision: str | None, key: str):
    """`from_pretrained` of a pinned hub id or of a folder; one line where it cannot be had."""
    key = f"people2d.backend.{key}"
    if is_hub_id(name) and revision is None:
        raise InputError(name, f"is a hub model without {key}_revision", f"set {key}_revision to the commit to use")
    if is_hub_id(name):
        return from_pretrained(kind, name, key, revision=revision)
    return from_pretrained(kind, name, key)
