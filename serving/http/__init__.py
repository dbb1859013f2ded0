"""The HTTP API.

In: JSON requests. Out: JSON answers, problem details, metrics and the shop page.
"""
