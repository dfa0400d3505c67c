"""One stage a file: its config and `run(inputs, ...) -> outputs`, values in and values out.

Stages never import each other.
"""
