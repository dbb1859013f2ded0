"""Who may do what: API keys, the signed tokens of users, and how often a key may call. No HTTP.

In: a key, a token. Out: the caller, or why there is none.
"""
