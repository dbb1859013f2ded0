"""MLflow's copy of a run.

In: the run's folder. Out: parameters, metrics, tags and artefacts in MLflow; the registered model and its
alias.
"""
