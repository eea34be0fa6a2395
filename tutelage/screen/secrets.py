"""Secrets that have a form: private keys, tokens of known makers, and what is assigned to a name
such as `password` or `api_key`.

Rules cannot find a secret that looks like any other word and is not called one: a passphrase in
a sentence, a key without a maker's mark and without a name. A text without findings is not a
text without secrets.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from functools import cache

import msgspec

from tutelage.core.finding import Finding
from tutelage.screen.scan import URL_CREDENTIALS, Match, Rule, Scanner, Span, apart

DETECTOR = "secrets"
TOKENS = {  # how each maker marks its keys; what surrounds one is checked in code
    "aws_key": r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|A3T[A-Z0-9])[A-Z0-9]{16}",
    "github_token": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    "gitlab_token": r"gl(?:pat|dt|ft|rt|cbt|agent|soat|imt|oas|ptt)-[\w\-]{20,}"
    r"|GR1348941[\w\-]{20,50}",
    "slack_token": r"xox[abeoprs]-[A-Za-z0-9\-]{10,}"
    r"|https://hooks\.slack\.com/services/T\w{6,14}/B\w{6,14}/\w{16,32}",
    "stripe_key": r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,}",
    "google_key": r"AIza[\w\-]{35}|ya29\.[\w\-]{20,}|GOCSPX-[\w\-]{28}",
    "openai_key": r"sk-(?:proj-|svcacct-|admin-)?[\w\-]{20,}T3BlbkFJ[\w\-]{20,}",
    "anthropic_key": r"sk-ant-[a-z0-9]{3,12}-[\w\-]{80,}",
    "huggingface_token": r"hf_[A-Za-z0-9]{30,40}",
    "npm_token": r"npm_[A-Za-z0-9]{36}",
    "pypi_token": r"pypi-AgEIcHlwaS5vcmc[\w\-]{70,}",
    "sendgrid_key": r"SG\.[\w\-]{22}\.[\w\-]{43}",
    "twilio_key": r"(?:SK|AC)[0-9a-f]{32}",
    "telegram_token": r"\d{8,10}:AA[\w\-]{33}",
    "discord_token": r"[MNO][A-Za-z\d_\-]{23,25}\.[\w\-]{6}\.[\w\-]{27,38}",
    "mailchimp_key": r"[0-9a-f]{32}-us\d{1,2}",
    "azure_key": r"AccountKey=[A-Za-z0-9+/]{86}==",
    "digitalocean_token": r"do[opr]_v1_[0-9a-f]{64}",
    "databricks_token": r"dapi[0-9a-f]{32}",
    "shopify_token": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "square_token": r"sq0(?:atp|csp)-[\w\-]{22,43}|EAAA[\w\-]{60}",
    "docker_token": r"dckr_(?:pat|oat)_[\w\-]{27,}",
    "postman_key": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "newrelic_key": r"NRAK-[A-Z0-9]{27}",
    "linear_key": r"lin_api_[A-Za-z0-9]{40}",
    "grafana_token": r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}",
    "groq_key": r"gsk_[A-Za-z0-9]{40,}",
    "vault_token": r"hv[sb]\.[\w\-]{24,}",
    "age_key": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "artifactory_token": r"AKC[a-zA-Z0-9]{60,}",
}
SIGNS = {  # what each of them holds: without long counts, each of which is a state of the automaton
    "aws_key": r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|A3T[A-Z0-9])[A-Z0-9]{4}",
    "github_token": r"gh[pousr]_[A-Za-z0-9]{4}|github_pat_",
    "gitlab_token": r"gl(?:pat|dt|ft|rt|cbt|agent|soat|imt|oas|ptt)-[\w\-]{4}|GR1348941",
    "slack_token": r"xox[abeoprs]-[A-Za-z0-9\-]{4}|https://hooks\.slack\.com/services/T",
    "stripe_key": r"[rs]k_(?:live|test)_|whsec_",
    "google_key": r"AIza[\w\-]{4}|ya29\.[\w\-]{4}|GOCSPX-",
    "openai_key": r"T3BlbkFJ",
    "anthropic_key": r"sk-ant-",
    "huggingface_token": r"hf_[A-Za-z0-9]{4}",
    "npm_token": r"npm_[A-Za-z0-9]{4}",
    "pypi_token": r"pypi-AgEIcHlwaS5vcmc",
    "sendgrid_key": r"SG\.[\w\-]{4}",
    "twilio_key": r"(?:SK|AC)[0-9a-f]{4}",
    "telegram_token": r"\d:AA[\w\-]{4}",
    "discord_token": r"[\w\-]{4}\.[\w\-]{6}\.[\w\-]{6}",
    "mailchimp_key": r"[0-9a-f]{4}-us\d",
    "azure_key": r"AccountKey=",
    "digitalocean_token": r"do[opr]_v1_",
    "databricks_token": r"dapi[0-9a-f]{4}",
    "shopify_token": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{4}",
    "square_token": r"sq0(?:atp|csp)-[\w\-]{4}|EAAA[\w\-]{4}",
    "docker_token": r"dckr_(?:pat|oat)_",
    "postman_key": r"PMAK-",
    "newrelic_key": r"NRAK-",
    "linear_key": r"lin_api_",
    "grafana_token": r"glsa_[A-Za-z0-9]{4}",
    "groq_key": r"gsk_[A-Za-z0-9]{4}",
    "vault_token": r"hv[sb]\.[\w\-]{4}",
    "age_key": r"AGE-SECRET-KEY-1",
    "artifactory_token": r"AKC[a-zA-Z0-9]{4}",
}
KINDS = ("private_key", "jwt", *TOKENS, "url_credentials", "password", "api_key")  # first has it

PEM = r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
PEM_BEGIN = "-----BEGIN "
PEM_END = "-----END "
# a name, a sign, a value: `api_key = "..."`, `"password": "..."`, `--token "..."`
SET = r"[\"']?(?:\s*(?::=|=>|=|:)=?\s*[\"']?|\s+[\"'])"
ASSIGNED = rf"(?i)[\w.\-]{{0,40}}(?:NAMES)[\w\-]{{0,20}}{SET}([^\s\"'`,;<>]{{6,}})"
ASSIGNED_SIGN = rf"(?i)(?:NAMES)[\w\-]*{SET}[^\s\"'`,;<>]{{6}}"
PASSWORD_NAMES = "password|passwd|passphrase|pwd|[_-]pass"
KEY_NAMES = "api[_-]?key|secret|token|(?:access|private|auth|account|iam|cloud|softlayer)[_-]?key"
PLACEHOLDERS = ("${", "{{", "%(", "%s", "xxxx", "****", "os.environ", "getenv", "example")
PASSWORD_BITS, KEY_BITS = 2.0, 2.8  # of entropy in a character, measured on the value itself
KEY_LENGTH = 16


def find_secrets(text: str) -> list[Finding]:
    """What in the text looks like a secret, by KINDS."""
    return scanner().find(text)


@cache
def scanner() -> Scanner:
    """The rules, compiled once."""
    tokens = (
        Rule(kind=kind, pattern=look, span=_token, sign=SIGNS[kind])
        for kind, look in TOKENS.items()
    )
    rules = (
        Rule(
            kind="private_key",
            pattern=rf"{PEM}[A-Za-z0-9+/=\s]*",
            span=_key_block,
            sign=PEM,
        ),
        Rule(
            kind="jwt",
            pattern=r"(eyJ[\w\-]+)\.eyJ[\w\-]+\.[\w\-]*",
            span=_jwt,
        ),
        *tokens,
        URL_CREDENTIALS,
        Rule(
            kind="password",
            pattern=ASSIGNED.replace("NAMES", PASSWORD_NAMES),
            span=_password,
            sign=ASSIGNED_SIGN.replace("NAMES", PASSWORD_NAMES),
        ),
        Rule(
            kind="api_key",
            pattern=ASSIGNED.replace("NAMES", KEY_NAMES),
            span=_api_key,
            sign=ASSIGNED_SIGN.replace("NAMES", KEY_NAMES),
        ),
    )
    return Scanner(DETECTOR, rules)


def entropy(text: str) -> float:
    """Bits a character, by how often each stands in the text itself.

    Source: Shannon, "A mathematical theory of communication", 1948.
    """
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _token(text: str, match: Match) -> Span | None:
    start, end = match.start(), match.end()
    return (start, end) if apart(text, start, end, "-") else None


def _key_block(text: str, match: Match) -> Span | None:
    """To the end of the line that ends the key; a key that is cut off has none."""
    start, end = match.start(), match.end()
    closing = text.find(PEM_END, end)
    if closing < 0 or PEM_BEGIN in text[end:closing]:
        return start, start + len(text[start:end].rstrip())
    line = text.find("-----", closing + len(PEM_END))
    return start, line + 5 if line >= 0 else len(text)


def _jwt(text: str, match: Match) -> Span | None:
    """A token whose head is JSON that names an algorithm."""
    head = match.group(1) or ""
    try:
        form = msgspec.json.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return None
    start, end = match.start(), match.end()
    named = isinstance(form, dict) and "alg" in form
    return (start, end) if named and apart(text, start, end) else None


def _password(text: str, match: Match) -> Span | None:
    start, end, value = _value(text, match)
    kinds = (str.isalpha, str.isdigit, lambda one: not one.isalnum() and one not in "_-.:/")
    mixed = sum(any(kind(letter) for letter in value) for kind in kinds) >= 2
    good = mixed and not _placeholder(value) and entropy(value) >= PASSWORD_BITS
    return (start, end) if good else None


def _api_key(text: str, match: Match) -> Span | None:
    start, end, value = _value(text, match)
    mixed = any(map(str.isalpha, value)) and any(map(str.isdigit, value))
    good = len(value) >= KEY_LENGTH and mixed and not _placeholder(value)
    return (start, end) if good and entropy(value) >= KEY_BITS else None


def _value(text: str, match: Match) -> tuple[int, int, str]:
    """The assigned value, without what ends the sentence it stands in."""
    start, end = match.start(1), match.end(1)
    while end > start and text[end - 1] in ".,:)]}":
        end -= 1
    return start, end, text[start:end]


def _placeholder(value: str) -> bool:
    lowered = value.lower()
    return value[:1] in ("$", "{", "%", "(") or any(one in lowered for one in PLACEHOLDERS)
