"""Who buys within the next days, who has left, and how much is to be expected of each customer.

In: the tables that `shopkeeper prepare` wrote. Out: `<workspace>/forecasts`, and how far to trust it.
"""
