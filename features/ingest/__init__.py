"""Validates raw tables, reports on them, and writes the tables and the dataset.

In: `RawTable`s. Out: the folders `tables` and `dataset`.
"""
