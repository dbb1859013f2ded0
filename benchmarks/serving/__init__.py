"""The serving benchmark: a made shop, the real server on it, a load generator, and its page."""
