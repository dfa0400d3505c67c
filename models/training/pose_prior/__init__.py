"""The prior over body poses: poses of a corpus, training, typical lying postures."""
