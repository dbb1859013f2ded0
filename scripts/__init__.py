"""The commands of the console script `shopkeeper`."""
