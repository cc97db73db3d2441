"""``sayd demo``: the main job on a recording that the engine's package carries."""

from __future__ import annotations

import os


def command() -> None:
    """The opening of A Tale of Two Cities, read aloud, at the pace it was spoken: 44 seconds of
    real speech through the engine on this machine. Needs no key and no microphone.
    """
    from sayd_cli.capture.file import FileSource
    from sayd_cli.cli.extras import require_local
    from sayd_cli.cli.run import Plan, run_plan
    from sayd_cli.cli.screen import Show
    from sayd_cli.engine.recordings import demo_recording
    from sayd_cli.listening.rules import Pace, Rules
    from sayd_cli.model.session import BackendName, SessionSettings
    from sayd_cli.settings.environment import read_environment

    require_local()
    settings = SessionSettings(language="en")
    run_plan(
        Plan(
            source=FileSource(demo_recording(), settings.sample_rate_hz),
            backend=BackendName.LOCAL,
            settings=settings,
            rules=Rules(pace=Pace.REALTIME),
            show=Show(),
            title="demo",
            keep=False,
        ),
        read_environment(os.environ),
    )
