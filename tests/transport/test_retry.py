from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayd_cli.transport.retry import LONGEST_S, retry_after_s

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("3600", LONGEST_S),
        ("3601", LONGEST_S),
        ("0000000000007", 7.0),
        ("9" * 40, LONGEST_S),
        # RFC 9110, 5.6.7: the preferred form, and the two obsolete ones.
        ("Wed, 04 Mar 2026 05:07:07 GMT", 60.0),
        ("Wednesday, 04-Mar-26 05:07:07 GMT", 60.0),
        ("Wed Mar  4 05:07:07 2026", 60.0),
        ("Wed, 04 Mar 2026 06:07:07 +0100", 60.0),
        # It is over, or a long time away.
        ("Wed, 04 Mar 2026 05:00:00 GMT", 0.0),
        ("Wed, 04 Mar 2226 05:00:00 GMT", LONGEST_S),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("\u0663", None),
        ("Wed, 99 Mar 2026 05:07:07 GMT", None),
        ("Wed, 04 Mar 99999999999 05:07:07 GMT", None),
        ("Wed, 04 Mar 2026 05:07:07 +99999999999999", None),
    ],
)
def test_a_header_says_when(value: str, expected_s: float | None) -> None:
    assert retry_after_s(value, NOW) == expected_s


def test_without_a_moment_it_is_now() -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    wait_s = retry_after_s(format_datetime(later))
    assert wait_s == pytest.approx(600, abs=60)


@given(st.integers(-(10**6), 10**6), st.integers(-12 * 60, 12 * 60))
def test_every_date_is_as_far_away_as_it_is(away_s: int, zone_minutes: int) -> None:
    zone = timezone(timedelta(minutes=zone_minutes))
    moment = (NOW + timedelta(seconds=away_s)).astimezone(zone)
    assert retry_after_s(format_datetime(moment), NOW) == min(max(away_s, 0), LONGEST_S)


@given(
    st.one_of(
        st.text(max_size=60),
        st.from_regex(
            r"\A[A-Z][a-z]{2}, \d{1,12} [A-Z][a-z]{2} \d{1,12} \d+:\d+(:\d+)? [+-]?\w*\Z"
        ),
    )
)
def test_whatever_it_says_it_is_a_wait_or_nothing(value: str) -> None:
    wait_s = retry_after_s(value, NOW)
    assert wait_s is None or 0 <= wait_s <= LONGEST_S


def test_a_long_header_takes_no_time() -> None:
    began_s = time.thread_time()
    assert retry_after_s("9" * 10**6, NOW) == LONGEST_S
    assert time.thread_time() - began_s < 1
