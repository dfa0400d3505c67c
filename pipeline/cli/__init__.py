"""The command line: one function a command, which types its parameters and calls the verb in `pipeline/`."""
