"""Measurements of quality, speed and size: data sets go in, docs/results and its pages come out."""
