"""Answers about finished work, from the store and the files alone: nothing here generates, trains or owns a run."""
