"""Raw files to tables to dataset, and the sources of candidates that need no neural network."""
