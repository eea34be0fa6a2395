"""Secrets that have a form are found, and placeholders and plain words are not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.core.finding import redacted
from tutelage.screen.secrets import KINDS, SIGNS, TOKENS, entropy, find_secrets

# put together here, so that no scanner of repositories takes this file for a leak
LETTERS = "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"
HEX = "343ea45721923ed956e2b38c31db76aa"
HEAD, BODY = "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxIn0"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\nIBAAK=\n-----END RSA " + "PRIVATE KEY-----"


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find_secrets(text)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("aws_key", "AKIA" + "IOSFODNN7EXAMPLE"),
        ("github_token", "ghp_" + LETTERS),
        ("gitlab_token", "glpat-" + LETTERS[:20]),
        ("slack_token", "xoxb-" + "123456789012-" + LETTERS[:24]),
        ("stripe_key", "sk_live_" + LETTERS[:24]),
        ("google_key", "AIza" + LETTERS[:35]),
        ("openai_key", "sk-" + LETTERS[:20] + "T3BlbkFJ" + LETTERS[:20]),
        ("anthropic_key", "sk-ant-" + "api03-" + LETTERS + LETTERS + LETTERS[:21]),
        ("huggingface_token", "hf_" + LETTERS[:34]),
        ("npm_token", "npm_" + LETTERS),
        ("pypi_token", "pypi-" + "AgEIcHlwaS5vcmc" + LETTERS + LETTERS),
        ("sendgrid_key", "SG." + LETTERS[:22] + "." + LETTERS + LETTERS[:7]),
        ("twilio_key", "SK" + HEX),
        ("telegram_token", "110201543:" + "AA" + LETTERS[:33]),
        ("discord_token", "M" + LETTERS[:23] + ".Cl2FMQ." + LETTERS[:27]),
        ("mailchimp_key", HEX + "-us30"),
        ("jwt", f"{HEAD}.{BODY}.SflKxwRJSMeKKF2QT4"),
        ("private_key", PEM),
    ],
)
def test_keys_with_a_makers_mark_are_found_in_a_sentence(kind: str, words: str) -> None:
    assert found(f"take {words} and go") == [(kind, words)]
    assert kind in KINDS


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("password: hunter2", "password", "hunter2"),
        ('{"passwd": "correct horse 1"}', "password", ""),
        ('DB_PASSWORD="s3cr3t!x"', "password", "s3cr3t!x"),
        (f"api_key = '{HEX}'", "api_key", HEX),
        (f"--softlayer-api-key {HEX!r}", "api_key", HEX),
        (f"My secret: {HEX}.", "api_key", HEX),
        ("https://ann:pw1@host.example/x", "url_credentials", "ann:pw1"),
    ],
)
def test_what_is_assigned_to_a_telling_name_is_found(text: str, kind: str, words: str) -> None:
    assert found(text) == ([(kind, words)] if words else [])


@pytest.mark.parametrize(
    "text",
    [
        "password: please reset it",
        "password = notapassword",
        'password = "${PASSWORD}"',
        "api_key = os.environ['API_KEY']",
        "api-key: insert_key_here",
        "my token is a bus ticket",
        "passenger: Smith123",
        f"commit {HEX}",
        f"{BODY}.{BODY}.abc",
        "eyJAAAA.eyJBBB.x",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "foo_" + LETTERS,
        "x" + "ghp_" + LETTERS + "-9",
        "",
    ],
)
def test_placeholders_and_plain_words_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_key_that_is_cut_off_is_found_to_its_end() -> None:
    text = PEM[: PEM.index("-----END")]
    assert found(text) == [("private_key", text.rstrip())]
    two = f"{PEM}\nand\n{PEM}"
    findings = find_secrets(two)
    assert redacted(two, findings) == "[PRIVATE_KEY]\nand\n[PRIVATE_KEY]"


def test_entropy_is_in_bits_a_character() -> None:
    assert entropy("abcd") == 2.0
    assert entropy("aaaa") == 0.0


@pytest.mark.parametrize("kind", TOKENS)
def test_what_a_key_looks_like_holds_the_sign_by_which_it_is_sought(kind: str) -> None:
    sign = re.compile(SIGNS[kind], re.ASCII)

    @settings(max_examples=60, derandomize=True, deadline=None)
    @given(key=st.from_regex(re.compile(TOKENS[kind], re.ASCII), fullmatch=True))
    def holds(key: str) -> None:
        assert sign.search(key)

    holds()
