"""Fits the ranker.

In: a candidate pipeline and the window after its split point. Out: a `RankerNetwork`.
"""
