"""Every knob of Shopkeeper on one page (`schema.py`), read with clear errors (`load.py`)."""
