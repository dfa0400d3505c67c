"""The motion model and its evaluator: losses, training, previews, the model card."""
