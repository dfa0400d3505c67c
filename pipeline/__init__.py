"""What flows between stages: data types, frames and cameras, file and video I/O, the artefact store, seeds."""
