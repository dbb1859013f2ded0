"""How well items and users without a past are served: a time split on items' first appearance."""
