"""How a server's command talks to the process that runs Ray."""

from __future__ import annotations

from typing import Final

SETTINGS_FILE: Final = "settings.json"
"""DeploySettings, in the run folder."""

STOP: Final = b"stop\n"
"""On its stdin: an orderly end. The end of stdin without it: the command was killed."""
