"""What everything else rests on: artefact folders, ids, column names, event types, timestamps.

In: nothing of the other packages. Out: the types and words that all of them share.
"""
