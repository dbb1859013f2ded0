"""Keeps a run.

In: what training reports. Out: the run's folder and its copy in MLflow.
"""
