"""The record of a run: its folder, its settings, its curves.

In: what training, evaluation and export report. Out: `RunRecord`, and the run that `--resume` continues.
"""
