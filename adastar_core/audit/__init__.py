"""Reads finished work from the store and its files. Nothing here generates, trains or owns a run."""
