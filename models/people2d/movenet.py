"""Single-person pose from a TFLite file (MoveNet) through LiteRT, on square crops turned by quarter turns.

MoveNet sees upright people best: a lying person is shown to it in a crop turned so that the head is up. The caller says
where to look; `zoom` looks again where the joints were found, and at other turns when they were found badly.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from models.errors import InputError
from models.networks import check_no_pointer
from models.people2d.pose2d import Crop, Pose2D

FETCH = (
    "fetch MoveNet (movenet singlepose lightning, tflite, int8) from Kaggle or TFHub and set people2d.backend to "
    "{kind: tflite, path: FILE}"
)
TURNS = (0, 1, 3, 2)
"""Quarter turns in the order they are tried: head up, right, left, down."""


class TflitePose:
    """A TFLite file with one square RGB input (values 0 to 255) and one output [1, 1, 17, 3] of (y, x, score)."""

    def __init__(self, path: Path, threads: int = 2):
        from ai_edge_litert.interpreter import Interpreter

        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(path, f"is not a readable pose file ({error.strerror})", FETCH) from error
        check_no_pointer(path)
        self.digest = hashlib.sha256(data).hexdigest()
        if data[4:8] != b"TFL3":
            raise InputError(path, "is not a TFLite model", FETCH)
        try:
            self.interpreter = Interpreter(model_content=data, num_threads=threads)
            self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(path, "is not a TFLite model", FETCH) from error
        inputs, outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        shape, given = (tuple(int(n) for n in part[0]["shape"]) if part else () for part in (inputs, outputs))
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or given != (1, 1, 17, 3):
            raise InputError(path, f"takes {shape} and gives {given}, expected (1, n, n, 3) and (1, 1, 17, 3)", FETCH)
        self.input, self.output = inputs[0], outputs[0]["index"]
        if self.input["dtype"] not in (np.uint8, np.int32, np.float32):
            raise InputError(path, f"takes {self.input['dtype'].__name__}, expected uint8, int32 or float32", FETCH)
        self.size = shape[1]
        self.calls = 0

    def __call__(self, rgb: UInt8[np.ndarray, "height width 3"], crop: Crop) -> Pose2D:
        """Return keypoints of the person in the crop, in image pixels; what lies outside the image is black."""
        image_from_unit = crop.image_from_unit()
        reduce = max(1, int(crop.side_px / (1.5 * self.size)))
        # Bilinear sampling skips pixels of large crops: average them first.
        small = (
            rgb if reduce == 1 else cv2.resize(rgb, None, fx=1 / reduce, fy=1 / reduce, interpolation=cv2.INTER_AREA)
        )
        to_image = image_from_unit / np.array([[self.size, self.size, 1.0]])
        to_image[:, 2] += to_image[:, :2] @ [0.5, 0.5] - 0.5
        to_small = to_image / reduce
        to_small[:, 2] += 0.5 / reduce - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        image = cv2.warpAffine(small, to_small, (self.size, self.size), flags=flags)
        self.interpreter.set_tensor(self.input["index"], image[None].astype(self.input["dtype"]))
        self.interpreter.invoke()
        self.calls += 1
        found = self.interpreter.get_tensor(self.output)[0, 0].astype(np.float64)
        keypoints = np.column_stack([found[:, 1], found[:, 0], np.ones(17)]) @ image_from_unit.T - 0.5
        return Pose2D(keypoints, np.clip(found[:, 2], 0.0, 1.0), crop.turn)

    def zoom(
        self,
        rgb: UInt8[np.ndarray, "height width 3"],
        crop: Crop,
        min_score: float = 0.5,
        turns: tuple[int, ...] = TURNS,
    ) -> Pose2D:
        """Look in the crop; while the mean score is below `min_score`, look at the other turns and once more where
        joints were found."""
        best = self(rgb, crop)
        if best.score >= min_score:
            return best
        for turn in turns:
            if turn == crop.turn:
                continue
            found = self(rgb, Crop(crop.centre_px, crop.side_px, turn))
            # A small advantage is needed to turn: flickering between turns costs more than it gains.
            if found.score > best.score + 0.03:
                best = found
        for _ in range(2):
            found = self(rgb, best.crop(best.turn))
            if found.score <= best.score:
                break
            best = found
        return best
