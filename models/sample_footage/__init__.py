"""The test bench: furnished rooms with acting people, whose truth is known exactly."""
