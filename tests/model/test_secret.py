from __future__ import annotations

from sayd_cli.model.secret import Secret, SecretUrl


def test_a_secret_is_shown_nowhere_but_when_asked_for() -> None:
    secret = Secret("sk-1234")
    assert secret.reveal() == "sk-1234"
    for shown in (str(secret), repr(secret), f"{secret}", f"{[secret]}"):
        assert "1234" not in shown


def test_a_url_is_shown_without_its_query_values_and_user() -> None:
    url = SecretUrl("wss://user:pw@host:8/v1/s?api_key=sk-1234&external_user_id=u#frag")
    assert str(url) == "wss://***@host:8/v1/s?api_key=***&external_user_id=***"
    assert "1234" not in repr(url)
    assert url.reveal().endswith("#frag")


def test_a_url_without_secrets_stays_as_it_is() -> None:
    assert str(SecretUrl("ws://127.0.0.1:80/path")) == "ws://127.0.0.1:80/path"


def test_what_is_no_url_is_not_shown_at_all() -> None:
    for text in ("ws://[h/?api_key=sk-1234", "ws://user:sk-1234@[::1/"):
        assert str(SecretUrl(text)) == "***"
        assert "1234" not in repr(SecretUrl(text))
