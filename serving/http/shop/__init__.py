"""The demonstration shop page.

In: the bundle's catalogue and the event log. Out: one page with its scripts, and what they read.
"""
