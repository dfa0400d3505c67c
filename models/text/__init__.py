"""Words: the vocabulary and captions of motion, and the frozen text encoder."""
