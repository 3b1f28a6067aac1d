"""Comparing methods: what each run came to, what the seeds say together, and the table and figure of it.

Pure functions over the summaries of runs; ``flows/compare.py`` makes the runs.
"""
