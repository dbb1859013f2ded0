"""User state while serving: the durable event log, and each user's history cached in memory.

In: events. Out: an append-only log, and the history of a user key as arrays.
"""
