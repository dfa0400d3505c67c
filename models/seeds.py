"""Random generators derived from (seed, stage, item), so that order and parallelism change nothing."""

import hashlib

import numpy as np


def generator(seed: int, stage: str, item: str) -> np.random.Generator:
    """Return an independent generator for one item of one stage; 0 is a seed like any other."""
    digest = hashlib.sha256(f"{seed}\0{stage}\0{item}".encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest, "little")))
