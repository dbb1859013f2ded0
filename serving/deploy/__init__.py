"""Runs the HTTP API as replicas of Ray Serve.

In: a bundle folder and settings. Out: a running server.
"""
