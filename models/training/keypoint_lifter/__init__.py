"""The regressor of keypoints: imagined views of motion, training, evaluation."""
