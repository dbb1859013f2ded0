"""Fits a neural encoder.

In: a dataset and a split point. Out: weights and curves in the run's folder.
"""
