from datetime import UTC, datetime, timedelta

import pytest

from app.tokens import LIFETIME, TokenError, sign, verify

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SECRET = b"of this server"


def test_a_token_names_its_person():
    token = sign("cats", "ada", secret=SECRET, now=NOW)
    assert verify(token, "cats", secret=SECRET, now=NOW).annotator == "ada"


def test_a_token_stays_the_same_within_an_hour():
    later = NOW + timedelta(minutes=29)
    assert sign("cats", "ada", secret=SECRET, now=NOW) == sign("cats", "ada", secret=SECRET, now=later)


@pytest.mark.parametrize("token", ["", "a.b", "é.ü", "."])
def test_what_this_server_did_not_sign_is_refused(token):
    with pytest.raises(TokenError, match="not signed in"):
        verify(token, "cats", secret=SECRET, now=NOW)


def test_a_changed_name_breaks_the_signature():
    ada, eve = (sign("cats", name, secret=SECRET, now=NOW) for name in ("ada", "eve"))
    forged = eve.partition(".")[0] + "." + ada.partition(".")[2]
    with pytest.raises(TokenError, match="not signed in"):
        verify(forged, "cats", secret=SECRET, now=NOW)


def test_a_token_of_another_project_is_refused():
    token = sign("cats", "ada", secret=SECRET, now=NOW)
    with pytest.raises(TokenError, match="another project"):
        verify(token, "dogs", secret=SECRET, now=NOW)


def test_an_old_token_is_refused():
    token = sign("cats", "ada", secret=SECRET, now=NOW)
    with pytest.raises(TokenError, match="too long"):
        verify(token, "cats", secret=SECRET, now=NOW + LIFETIME)
