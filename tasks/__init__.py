"""Thin Prefect tasks, one per step of an iteration. They pass ids and manifests, never payloads."""
