"""Prefect flows. They only wire tasks together; the command line is in ``flows/adastar.py``."""
