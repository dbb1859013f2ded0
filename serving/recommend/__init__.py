"""The recommending core: no HTTP, no Ray, no torch.

In: a bundle and what is known of a user. Out: a list of items with reasons.
"""
