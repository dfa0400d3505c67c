"""What a camera is calibrated from: people who stand, and the straight lines of a room."""
