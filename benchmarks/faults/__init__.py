"""Faults played on the real server, one file a kind, and the page of what happened: docs/faults.md."""
