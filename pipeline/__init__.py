"""What a verb does: it loads, runs stages and stores; the command line, settings, the artefact store and the runner."""
