"""Runs the app as replicas of Ray Serve.

In: a bundle folder and settings. Out: a server that answers.
"""
