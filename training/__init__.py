"""A dataset becomes a run, and a run becomes a bundle."""
