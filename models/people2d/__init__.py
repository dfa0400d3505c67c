"""People in pictures: boxes, COCO-17 keypoints, tracks, association, detectors and their simulation."""
