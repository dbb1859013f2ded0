"""Where a shop's raw data comes from: one file a source."""
