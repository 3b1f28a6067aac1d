"""One run: read by anyone (``stored``), or owned by the process that works on it (``workspace``)."""
