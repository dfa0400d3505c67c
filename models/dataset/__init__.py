"""The files of a dataset, clip by clip: each format after its own readers, each to be added to."""
