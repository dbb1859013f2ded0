"""Raw files of each origin as raw tables, one file a reader.

In: files as a shop or a publisher has them. Out: `RawTable`s, and the lines that could not be read.
"""
