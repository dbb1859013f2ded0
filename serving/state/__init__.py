"""What is remembered of users while serving.

In: events. Out: an append-only log, and each user's history from memory.
"""
