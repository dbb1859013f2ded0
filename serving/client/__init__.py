"""A typed client of the HTTP API, for the shop's back end. Install `shopkeeper`, or copy this folder: it
needs httpx and nothing else of Shopkeeper.

In: what a caller wants to know or to tell. Out: the answers of the API, as typed dictionaries.
"""

from serving.client.client import ApiError, Client

__all__ = ["ApiError", "Client"]
