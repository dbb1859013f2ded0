"""A bundle and a person's state become an answer. Nothing here imports torch."""
