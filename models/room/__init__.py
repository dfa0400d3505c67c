"""What of a room its plate, its depth and its people show: floor, and what supports people."""
