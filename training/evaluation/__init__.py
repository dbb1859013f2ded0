"""Judges a pipeline.

In: a pipeline and the window after its split point. Out: metrics with intervals, and pages for reviewers.
"""
