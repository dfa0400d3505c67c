"""Two people who were never captured together, composed into one interaction: acts, hand holds, contact."""
