"""Where ordered motion comes from: procedural, captured, simulated by physics, or sampled by the motion model."""
