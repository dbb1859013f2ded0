"""Labelled reviews ▶ the network that says whether a review is content."""
