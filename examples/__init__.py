"""Examples: read them top to bottom."""
