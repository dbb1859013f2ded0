"""Every error a user can cause, in one tree.

ShopkeeperError                what a command prints, without a stack trace, before it exits with status 2
├── ConfigError                a setting is unknown, mistyped, or at odds with another
├── DataError                  the user's data cannot be read or does not fit the tables
│   └── TooLittleDataError       the data is valid, but nothing could be learnt from it
├── ArtefactError              a folder of ours is missing, half there, changed, or of another version
├── GateError                  an export check failed: nothing was written
├── TrainingError              a training run cannot go on
└── ServingError               the server or the event store cannot be started or reached
"""

from __future__ import annotations


class ShopkeeperError(Exception):
    """Something the user can mend. The message says what was found and what to do."""


class ConfigError(ShopkeeperError):
    """A setting is unknown, mistyped, or at odds with another."""


class DataError(ShopkeeperError):
    """The user's data cannot be read or does not fit the tables."""


class TooLittleDataError(DataError):
    """The data is valid, but there is too little of it to train on."""


class ArtefactError(ShopkeeperError):
    """A tables, dataset, run or bundle folder is missing, incomplete, changed or of another schema
    version."""


class GateError(ShopkeeperError):
    """An export check failed, so the bundle was not written."""


class TrainingError(ShopkeeperError):
    """A training run cannot go on."""


class ServingError(ShopkeeperError):
    """The server or the event store cannot be started or reached."""
