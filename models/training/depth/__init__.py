"""The small depth networks that ship: training data, training, evaluation."""
