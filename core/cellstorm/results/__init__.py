"""What is left of an acquisition: one folder, the same from `reconstruct`, `submit` and a live acquisition's archive."""
