"""The figures of a shop's report.

In: the tables that `prepare` wrote, and what other commands made of them. Out: one small dataclass a section,
or `Empty` with the reason why there is nothing to show.
"""
