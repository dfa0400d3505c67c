"""The motion corpus: one compact file of captioned motion, how it is written, read and summed up."""
