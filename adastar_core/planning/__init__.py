"""What a configuration would do before it runs (``--dry-run``): work, memory and time."""
