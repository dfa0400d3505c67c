"""Bodies moved by hand-made curves and key frames: gait, postures, getting down and up, what people sit on."""
