"""What a shop knows of each customer, and of the groups that they form.

In: the tables that `prepare` wrote. Out: the folder `customers`: profiles, segments, groups and moves.
"""
