"""What events say of a user or an item as of a time.

In: a history, or the target events of everybody. Out: aggregates that see nothing at or after `as_of`.
"""
