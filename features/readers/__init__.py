"""Reads raw files into raw tables, one file a reader.

In: files as a shop or a publisher writes them. Out: `RawTable`s, and the lines that could not be read.
"""
