"""Where models come from, their tokens, and checkpoint directories."""
