"""The copy of a run in MLflow.

In: the run's folder, and its bundle. Out: parameters, metrics, tags and artefacts; versions of the registered
model, and the alias of the champion.
"""
