"""What a reviewer sees of a run: pictures, tables and pages, made from the run's folder."""
