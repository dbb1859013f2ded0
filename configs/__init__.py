"""All settings of Shopkeeper (`schema.py`), and reading them with clear errors (`load.py`)."""
