"""Hypothesis strategies for every message of the protocol."""

from __future__ import annotations

from hypothesis import strategies as st

from sayd_cli.model.events import (
    Audio,
    ClientMessage,
    Complete,
    End,
    Fault,
    Final,
    Keepalive,
    Partial,
    Ready,
    ServerMessage,
)

seconds = st.none() | st.floats(0, 1e6)
pcm = st.binary(max_size=80).map(lambda data: data[: len(data) // 2 * 2])

partials = st.builds(Partial, st.text(), seconds, seconds)
finals = st.builds(
    Final,
    st.text(),
    seconds,
    seconds,
    index=st.none() | st.integers(0, 10**6),
    confidence=st.none() | st.floats(0, 1),
    language=st.none() | st.text(min_size=1),
)
counts = st.none() | st.integers(0, 10**9)
completes = st.builds(Complete, counts, st.none() | st.text(min_size=1), sentences=counts)
readies = st.builds(Ready, seconds, counts)
faults = st.builds(Fault, st.text(min_size=1), st.none() | st.text(min_size=1))

client_messages: st.SearchStrategy[ClientMessage] = st.one_of(
    st.builds(Audio, pcm), st.just(End()), st.just(Keepalive())
)
server_messages: st.SearchStrategy[ServerMessage] = st.one_of(
    readies, partials, finals, completes, faults
)
