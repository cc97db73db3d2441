from sayd_cli.model.report import Heard, Interim, Phase, Progress
from sayd_cli.model.session import BackendName
from sayd_cli.model.transcript import Sentence
from sayd_cli.render.live import LiveView
from tests.render.emulator import Emulator
from tests.waiting import wait_until


def heard(text: str) -> Heard:
    return Heard(Sentence(0, text, 0.0, 1.0))


def test_the_screen_is_left_to_others_and_taken_again() -> None:
    with Emulator() as terminal:
        with LiveView(terminal.stream, backend=BackendName.LOCAL) as view:
            view.take(heard("One."))
            view.take(Interim("and then", 1.0, 2.0))
            view.take(Progress(Phase.LISTENING, 1.0, 1.0))
            wait_until(lambda: "listening" in terminal.status())
            view.suspend()
            wait_until(lambda: terminal.shown() == ["One."] and not terminal.cursor_hidden)
            print("$ fg", file=terminal.stream, flush=True)
            view.resume()
            wait_until(lambda: "listening" in terminal.status() and terminal.cursor_hidden)
            assert terminal.shown()[:4] == ["One.", "$ fg", "", "and then"]
        wait_until(lambda: terminal.shown() == ["One.", "$ fg"] and not terminal.cursor_hidden)


def test_meanwhile_lines_that_stay_are_written_and_nothing_else() -> None:
    with Emulator() as terminal:
        with LiveView(terminal.stream, backend=BackendName.LOCAL) as view:
            view.suspend()
            for number in range(1500):
                view.take(heard(f"Sentence {number}."))
                view.take(Interim("and then", 1.0, 2.0))
                view.take(Progress(Phase.LISTENING, 1.0, 1.0))
            wait_until(lambda: terminal.status() == "Sentence 1499.")
            wait_until(lambda: not terminal.cursor_hidden)
        assert terminal.scrolled() == [f"Sentence {number}." for number in range(1500)]
        assert b"and then" not in terminal.raw


def test_a_screen_that_others_used_unasked_is_drawn_anew() -> None:
    with Emulator() as terminal:
        with LiveView(terminal.stream, backend=BackendName.LOCAL) as view:
            view.take(Progress(Phase.LISTENING, 1.0, 1.0))
            wait_until(lambda: "listening" in terminal.status())
            # A shell after SIGSTOP: it shows the cursor, and a prompt.
            print("\x1b[?25h[1]+  Stopped\n$ fg\x1b[K", file=terminal.stream, flush=True)
            view.resume()
            wait_until(lambda: terminal.cursor_hidden and "listening" in terminal.status())
        wait_until(lambda: terminal.shown() == ["[1]+  Stopped", "$ fg"])


def test_a_view_that_ends_as_it_is_continued_gives_the_cursor_back() -> None:
    with Emulator() as terminal:
        with LiveView(terminal.stream, backend=BackendName.LOCAL) as view:
            view.take(Progress(Phase.LISTENING, 1.0, 1.0))
            wait_until(lambda: "listening" in terminal.status() and terminal.cursor_hidden)
            # A shell continues a job with a signal, and the job notices by itself that it goes on.
            view.resume()
            view.take(heard("One."))
        wait_until(lambda: terminal.shown() == ["One."] and not terminal.cursor_hidden)


def test_a_terminal_without_a_view_has_nothing_to_leave() -> None:
    with Emulator() as terminal:
        view = LiveView(terminal.stream, backend=BackendName.LOCAL)
        view.resume()
    with Emulator() as terminal, LiveView(terminal.stream, backend=BackendName.LOCAL) as view:
        view.suspend()
        view.suspend()
        view.resume()
        view.resume()
