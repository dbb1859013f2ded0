"""What all other packages build on: artefact folders, ids, column names, event types, timestamps.

Imports none of the other packages but `configs`.
"""
