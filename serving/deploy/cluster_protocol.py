"""How a server's command talks to the process that runs Ray."""

from __future__ import annotations

from typing import Final

SETTINGS_FILE: Final = "settings.json"
"""DeploySettings, in the run folder."""

LOADING_FILE: Final = "loading"
"""In the run folder: locked by the replica that loads a new bundle."""

REFUSED_ALIAS_FILE: Final = "refused_alias"
"""In the run folder: what is wrong with the bundle that has MLflow's alias, while something is."""

STOP: Final = b"stop\n"
"""On its stdin: an orderly end. The end of stdin without it: the command was killed."""
