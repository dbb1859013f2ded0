"""Turns a bundle and a user's state into recommendations. Nothing here imports torch.

deploy runs http; http answers from access, state and recommend. Imports point that way only.
"""
