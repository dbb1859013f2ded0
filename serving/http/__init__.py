"""The HTTP API.

In: JSON requests. Out: JSON responses, problem details, metrics and the shop page.
"""
