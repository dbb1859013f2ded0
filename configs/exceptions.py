"""Every error a user can cause, in one tree.

ShopkeeperError                a command prints it without a stack trace and exits with status 2
├── ConfigError                a setting is unknown, of the wrong type, or contradicts another
├── DataError                  the user's data cannot be read or does not fit the tables
│   └── TooLittleDataError       the data is valid, but there is too little of it to train on
├── ArtefactError              a folder is missing, incomplete, changed, or of another version
├── GateError                  an export check failed: nothing was written
├── TrainingError              a training run cannot go on
├── ServingError               the server or the event store cannot be started or reached
│   ├── StoreBusyError           the event store has no room for a write now: it may be sent again
│   └── StoreAwayError           the event store does not answer now: it may come back by itself
└── RefreshRunningError        another `shopkeeper refresh` works on the workspace: exit status 4
"""

from __future__ import annotations


class ShopkeeperError(Exception):
    """An error that the user can correct. The message says what was found and what to do."""


class ConfigError(ShopkeeperError):
    """A setting is unknown, of the wrong type, or contradicts another."""


class DataError(ShopkeeperError):
    """The user's data cannot be read or does not fit the tables."""


class TooLittleDataError(DataError):
    """The data is valid, but there is too little of it to train on."""


class ArtefactError(ShopkeeperError):
    """A tables, dataset, run or bundle folder is missing, incomplete, changed or of another version."""


class GateError(ShopkeeperError):
    """An export check failed, so the bundle was not written."""


class TrainingError(ShopkeeperError):
    """A training run cannot go on."""


class ServingError(ShopkeeperError):
    """The server or the event store cannot be started or reached."""


class StoreBusyError(ServingError):
    """The event store cannot take a write now, and stored nothing of it: the same write may succeed later."""


class StoreAwayError(ServingError):
    """The event store is another program's, which does not answer now. Nobody knows whether a write was
    stored; it may be sent again, and counts once."""


class RefreshRunningError(ShopkeeperError):
    """Another process refreshes the workspace."""
