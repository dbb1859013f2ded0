"""What proposes candidates for a list: one file a retriever.

In: everyone's target events before a split point. Out: scored items for a user or a page, with ranker columns
and reasons.
"""
