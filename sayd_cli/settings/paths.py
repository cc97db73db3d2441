"""Where sayd keeps what it keeps. Names paths; makes nothing."""

from __future__ import annotations

from pathlib import Path

from sayd_cli.settings.environment import Environment


def data_directory(environment: Environment) -> Path:
    """The folder of what the user would miss: ``SAYD_HOME``, or the platform's data folder."""
    if environment.home:
        return Path(environment.home).expanduser()
    import platformdirs

    return platformdirs.user_data_path("sayd", appauthor=False)


def state_directory(environment: Environment) -> Path:
    """The folder of what outlives a run but not its use: ``SAYD_HOME``, or the platform's."""
    if environment.home:
        return Path(environment.home).expanduser()
    import platformdirs

    return platformdirs.user_state_path("sayd", appauthor=False)


def config_directory(environment: Environment) -> Path:
    """The folder of what the user has chosen: ``SAYD_HOME``, or the platform's config folder."""
    if environment.home:
        return Path(environment.home).expanduser()
    import platformdirs

    return platformdirs.user_config_path("sayd", appauthor=False)


def history_path(environment: Environment) -> Path:
    """The database of everything heard on this machine."""
    return data_directory(environment) / "history.sqlite3"


def server_path(environment: Environment) -> Path:
    """The database of the sessions that ``sayd serve`` has served."""
    return data_directory(environment) / "server.sqlite3"


def spool_directory(environment: Environment) -> Path:
    """The folder of captured audio that is not yet confirmed."""
    return state_directory(environment) / "spool"


def config_path(environment: Environment) -> Path:
    """The config file; it need not exist."""
    return config_directory(environment) / "config.toml"


def credentials_path(environment: Environment) -> Path:
    """The file of the key, where it is not in the system's keyring; it need not exist."""
    return config_directory(environment) / "credentials"
