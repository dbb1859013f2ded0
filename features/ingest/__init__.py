"""Raw tables become valid tables, and tables a dataset, with a report.

In: `RawTable`s. Out: the folders `tables` and `dataset`.
"""
