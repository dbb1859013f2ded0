"""Raw files to tables to dataset; user profiles; and the retrievers that need no neural network."""
