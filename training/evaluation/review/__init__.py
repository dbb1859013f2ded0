"""The pages that a reviewer judges a run by.

In: the run's folder after an evaluation. Out: pictures, HTML pages and MLflow's description.
"""
