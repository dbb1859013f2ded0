"""Writes what is served.

In: a run's weights and the dataset. Out: a bundle folder: ONNX graphs, index, tables.
"""
