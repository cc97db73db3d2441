import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.model.events import Final, Partial
from sayd_cli.model.report import Heard, Interim
from sayd_cli.model.transcript import Sentence, Transcript
from sayd_cli.transcript.assembly import Assembly


def test_partials_replace_each_other_and_a_final_clears_them() -> None:
    assembly = Assembly()
    assert assembly.apply(Partial("it was", 0.1, 0.5), heard_until_s=0.6) == Interim(
        "it was", 0.1, 0.5
    )
    assembly.apply(Partial("it was the", 0.1, 0.9), heard_until_s=1.0)
    assert assembly.transcript == Transcript((), Partial("it was the", 0.1, 0.9))
    heard = assembly.apply(
        Final("It was the best.", 0.1, 1.4, index=0, confidence=0.9, language="en"),
        heard_until_s=2.0,
    )
    sentence = Sentence(0, "It was the best.", 0.1, 1.4, confidence=0.9, language="en")
    assert heard == Heard(sentence)
    assert assembly.transcript == Transcript((sentence,))


def test_times_are_derived_where_the_service_gives_none() -> None:
    assembly = Assembly()
    assembly.apply(Final("One."), heard_until_s=2.0)
    interim = assembly.apply(Partial("two"), heard_until_s=3.0)
    assembly.apply(Final("Two."), heard_until_s=3.5)
    assembly.apply(Final("Three."), heard_until_s=3.5)
    assert interim == Interim("two", 2.0, 3.0)
    assert [(s.start_s, s.end_s, s.approximate) for s in assembly.transcript.sentences] == [
        (0.0, 2.0, True),
        (2.0, 3.5, True),
        (3.5, 3.5, True),
    ]


@pytest.mark.parametrize(
    ("start_s", "end_s", "placed"),
    [
        (1.0, 2.0, (1.0, 2.0, False)),
        (1.0, 1.0, (1.0, 1.0, False)),
        (1.0, None, (1.0, 5.0, True)),
        (None, 2.0, (0.0, 2.0, True)),
        (2.0, 1.0, (2.0, 5.0, True)),
        (-1.0, 2.0, (0.0, 2.0, True)),
        (math.nan, math.nan, (0.0, 5.0, True)),
        (0.0, math.inf, (0.0, 5.0, True)),
        (9.0, None, (9.0, 9.0, True)),
    ],
)
def test_times_that_cannot_be_are_not_believed(
    start_s: float | None, end_s: float | None, placed: tuple[float, float, bool]
) -> None:
    assembly = Assembly()
    assembly.apply(Final("Text.", start_s, end_s), heard_until_s=5.0)
    (sentence,) = assembly.transcript.sentences
    assert (sentence.start_s, sentence.end_s, sentence.approximate) == placed


def test_equal_sentences_are_both_kept() -> None:
    assembly = Assembly()
    assembly.apply(Final("Yes."), heard_until_s=1)
    assembly.apply(Final("Yes."), heard_until_s=2)
    assert [s.text for s in assembly.transcript.sentences] == ["Yes.", "Yes."]


@pytest.mark.parametrize("text", ["", "  \n ", "\x1b[31m", "\u200d\u200e \ufe0f"])
def test_a_final_without_text_is_no_sentence_but_clears_the_interim_text(text: str) -> None:
    assembly = Assembly()
    assert assembly.apply(Final(text), heard_until_s=1) is None
    assembly.apply(Partial("hm"), heard_until_s=2)
    assert assembly.apply(Final(text), heard_until_s=3) == Interim("", 0.0, 3.0)
    assert assembly.transcript == Transcript()


def test_an_empty_partial_clears_the_interim_text_once() -> None:
    assembly = Assembly()
    assembly.apply(Partial("hm"), heard_until_s=1)
    assert assembly.apply(Partial(" "), heard_until_s=1) == Interim("", 0.0, 1.0)
    assert assembly.apply(Partial(" "), heard_until_s=1) is None


def test_text_is_trimmed_put_on_one_line_and_made_safe() -> None:
    assembly = Assembly()
    assembly.apply(Partial(" \x1b[2Jit\nwas "), heard_until_s=1)
    assert assembly.transcript.partial == Partial("it was", 0.0, 1.0)
    assembly.apply(Final(" It\r\nwas.\x07 ", language="en\x1b[m"), heard_until_s=1)
    (sentence,) = assembly.transcript.sentences
    assert (sentence.text, sentence.language) == ("It was.", "en")


@pytest.mark.parametrize("confidence", [-0.1, 1.1, math.nan, math.inf])
def test_a_confidence_that_cannot_be_is_not_believed(confidence: float) -> None:
    assembly = Assembly()
    assembly.apply(Final("Text.", confidence=confidence), heard_until_s=1)
    assert assembly.transcript.sentences[0].confidence is None


def test_interim_text_that_is_given_up_is_a_sentence_marked_as_such() -> None:
    assembly = Assembly()
    assert assembly.give_up_partial() is None
    assembly.apply(Final("One.", 0, 1), heard_until_s=1)
    assembly.apply(Partial("two", 1, 1.5), heard_until_s=2)
    sentence = assembly.give_up_partial()
    assert sentence is not None
    assert (sentence.index, sentence.text, sentence.unconfirmed) == (1, "two", True)
    assert assembly.transcript.sentences[1:] == (sentence,)
    assert assembly.transcript.partial is None
    assert assembly.give_up_partial() is None


@pytest.mark.parametrize(("start_s", "end_s"), [(0.5, 1e300), (1e300, 1e300), (1000.0, 1001.0)])
def test_times_after_the_audio_are_not_believed(start_s: float, end_s: float) -> None:
    assembly = Assembly()
    assembly.apply(Final("late", start_s, end_s), heard_until_s=3)
    (sentence,) = assembly.transcript.sentences
    assert sentence.approximate
    assert sentence.end_s == 3


TIMES = st.none() | st.floats() | st.floats(0, 100)
EVENTS = st.builds(Partial, st.text(), TIMES, TIMES) | st.builds(
    Final, st.text(), TIMES, TIMES, st.none() | st.integers(0, 9), st.none() | st.floats()
)


@given(st.lists(st.tuples(EVENTS, st.floats(0, 1))))
def test_whatever_comes_the_transcript_is_in_order(
    events: list[tuple[Partial | Final, float]],
) -> None:
    assembly = Assembly()
    heard: list[Sentence] = []
    sent_s = 0.0
    for event, step_s in events:
        sent_s += step_s
        before = assembly.transcript
        report = assembly.apply(event, heard_until_s=sent_s)
        if report is None:
            assert assembly.transcript == before
        elif isinstance(report, Heard):
            heard.append(report.sentence)
            assert assembly.transcript.partial is None
        elif report.text:
            expected = Partial(report.text, report.start_s, report.end_s)
            assert assembly.transcript.partial == expected
            assert 0 <= report.start_s <= report.end_s
        else:
            assert assembly.transcript.partial is None
    sentences = assembly.transcript.sentences
    assert sentences == tuple(heard)
    assert [s.index for s in sentences] == list(range(len(sentences)))
    for sentence in sentences:
        assert sentence.text == sentence.text.strip() != ""
        assert 0 <= sentence.start_s <= sentence.end_s < math.inf


def test_what_is_heard_again_ends_where_it_is_said_to_but_no_later_than_what_is_known() -> None:
    assembly = Assembly()
    assembly.apply(Final("A."), heard_until_s=5.0)

    def until_s(start_s: float | None, end_s: float | None) -> float | None:
        return assembly.known_until_s(Final("A.", start_s, end_s), heard_until_s=8.0)

    assert until_s(1.0, 3.0) == 3.0
    assert until_s(1.0, 7.0) == 5.0
    for start_s, end_s in [(None, 3.0), (1.0, None), (3.0, 1.0), (-2.0, 1.0), (1.0, 3000.0)]:
        assert until_s(start_s, end_s) is None
