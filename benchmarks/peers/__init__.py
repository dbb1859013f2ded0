"""Runners of other libraries, one environment each: settings go in, notes and lists come out."""
