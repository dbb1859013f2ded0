"""The demonstration shop page.

In: the bundle's catalogue and the event log. Out: a static page with its scripts, and the endpoints that they
read.
"""
