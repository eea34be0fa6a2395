"""Made-up personal data and secrets of every kind, with the words that lead to them."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random

Made = tuple[str, str]  # what leads to the value, and the value
LETTERS = string.ascii_letters + string.digits
FIRST = ("ann", "bob", "carla", "deniz", "emeka", "farah", "goran", "hiro", "ines", "jörg")
LAST = ("lee", "okafor", "silva", "novak", "haddad", "tanaka", "meyer", "rossi", "dubois", "khan")


def some(random: Random, signs: str, count: int) -> str:
    """So many signs."""
    return "".join(random.choices(signs, k=count))


def digits(random: Random, count: int) -> str:
    """So many digits, the first not 0."""
    return random.choice("123456789") + some(random, string.digits, count - 1)


def spaced(text: str, size: int, sign: str = " ") -> str:
    """The text in groups."""
    return sign.join(text[at : at + size] for at in range(0, len(text), size))


def email(random: Random) -> Made:
    name = random.choice(
        (
            f"{random.choice(FIRST)}.{random.choice(LAST)}",
            f"{random.choice(FIRST)}{random.randint(1, 99)}",
            f"{random.choice(FIRST)}+{random.choice(LAST)}",
            f"{random.choice(LAST)}_{random.choice(FIRST)}",
        )
    )
    domain = random.choice(("example.org", "mail.example.co.uk", "my-firm.de", "uni-x.edu"))
    return random.choice(("write to ", "my address is ", "(see ", "")), f"{name}@{domain}"


def luhn_digit(number: str) -> str:
    """The digit that makes the number whole."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def card(random: Random) -> Made:
    start, length = random.choice((("4", 16), ("51", 16), ("55", 16), ("34", 15), ("6011", 16)))
    number = start + some(random, string.digits, length - len(start) - 1)
    number += luhn_digit(number)
    if length == 16:
        number = random.choice((number, spaced(number, 4), spaced(number, 4, "-")))
    return random.choice(("pay with ", "card ", "charged to ")), number


def iban(random: Random) -> Made:
    country, bank, length = random.choice(
        (("DE", "", 18), ("GB", "WEST", 14), ("FR", "", 23), ("NL", "INGB", 10), ("NO", "", 11))
    )
    account = bank + some(random, string.digits, length)
    told = "".join(str(int(sign, 36)) for sign in f"{account}{country}00")
    written = f"{country}{98 - int(told) % 97:02d}{account}"
    return random.choice(("transfer to ", "IBAN ")), random.choice((written, spaced(written, 4)))


def ssn(random: Random) -> Made:
    area = random.choice([one for one in range(1, 900) if one != 666])
    parts = (f"{area:03d}", f"{random.randint(1, 99):02d}", f"{random.randint(1, 9999):04d}")
    if random.random() < 0.3:
        return "my social security number is ", "".join(parts)
    return random.choice(("SSN ", "it is ")), "-".join(parts)


def national_id(random: Random) -> Made:
    way = random.randrange(4)
    if way == 0:
        number = random.randint(10_000_000, 99_999_999)
        return "DNI ", f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"
    if way == 1:
        short = f"{random.randint(50, 99)}{random.randint(1, 12):02d}{random.randint(1, 28):02d}"
        short += some(random, string.digits, 3)
        return "personnummer ", f"{short[:6]}-{short[6:]}{luhn_digit(short)}"
    if way == 2:
        base = some(random, string.digits, 9)
        for weights in (range(10, 1, -1), range(11, 1, -1)):
            total = sum(int(one) * weight for one, weight in zip(base, weights, strict=True))
            base += str(total * 10 % 11 % 10)
        return "CPF ", f"{base[:3]}.{base[3:6]}.{base[6:9]}-{base[9:]}"
    while True:
        base = digits(random, 9)
        check = 11 - sum(int(base[at]) * (10 - at) for at in range(9)) % 11
        if check != 10:
            return "NHS number ", f"{base[:3]} {base[3:6]} {base[6:]}{check % 11}"


def ip(random: Random) -> Made:
    if random.random() < 0.7:
        parts = [random.randint(11, 223), *(random.randint(0, 255) for _ in range(3))]
        return random.choice(("from ", "host ", "the server at ")), ".".join(map(str, parts))
    groups = [f"{random.randint(1, 65535):x}" for _ in range(8)]
    return "from ", random.choice((":".join(groups), f"2001:db8:{groups[2]}::{groups[3]}"))


def mac(random: Random) -> Made:
    octets = [f"{random.randint(0, 255):02x}" for _ in range(6)]
    octets[0] = f"{random.randint(0, 9)}{octets[0][1]}"
    return "the card ", random.choice((":", "-")).join(octets)


def phone(random: Random) -> Made:
    area, office, line = random.randint(201, 989), random.randint(200, 999), random.randint(0, 9999)
    if area % 100 == 11:
        area += 1
    return random.choice(
        (
            ("reach me at ", f"({area}) {office}-{line:04d}"),
            ("", f"{area}-{office}-{line:04d}"),
            ("call ", f"+1 {area} {office} {line:04d}"),
            ("or ", f"+49 30 {digits(random, 7)}"),
            ("my mobile: ", f"07{random.choice('45789')}{some(random, string.digits, 8)}"),
            ("under ", f"+33 6 {spaced(some(random, string.digits, 8), 2)}"),
        )
    )


def birth_date(random: Random) -> Made:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1930, 2010)
    name = ("March", "June", "July", "August", "October")[month % 5]
    return random.choice(("born on ", "date of birth: ", "DOB ")), random.choice(
        (f"{year}-{month:02d}-{day:02d}", f"{day}.{month}.{year}", f"{day} {name} {year}")
    )


def url_credentials(random: Random) -> Made:
    host = random.choice(("db.example.org/x", "git.example.net"))
    told = f"{random.choice(FIRST[:9])}:{some(random, LETTERS, 10)}"
    return "clone https://", f"{told}@{host}"


def jwt(random: Random) -> Made:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": some(random, string.digits, 8)}]
    told = [
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts
    ]
    return "Authorization ", ".".join([*told, some(random, LETTERS + "-_", 43)])


def private_key(random: Random) -> Made:
    kind = random.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY"))
    lines = "\n".join(some(random, LETTERS + "+/", 64) for _ in range(4))
    return "the key\n", f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


def password(random: Random) -> Made:
    value = some(random, string.ascii_letters, 6) + some(random, string.digits, 3)
    return random.choice(("password: ", 'password = "', "pwd=")), value


KEYS: dict[str, Callable[[Random], str]] = {
    "aws_key": lambda random: "AKIA" + some(random, string.ascii_uppercase + string.digits, 16),
    "github_token": lambda random: "ghp_" + some(random, LETTERS, 36),
    "slack_token": lambda random: f"xoxb-{digits(random, 12)}-{some(random, LETTERS, 24)}",
    "stripe_key": lambda random: "sk_live_" + some(random, LETTERS, 24),
    "google_key": lambda random: "AIza" + some(random, LETTERS, 35),
    "openai_key": lambda random: (
        f"sk-proj-{some(random, LETTERS, 24)}T3BlbkFJ{some(random, LETTERS, 24)}"
    ),
    "huggingface_token": lambda random: "hf_" + some(random, LETTERS, 34),
    "npm_token": lambda random: "npm_" + some(random, LETTERS, 36),
}


def key(make: Callable[[Random], str]) -> Callable[[Random], Made]:
    """A maker's key, led to by words that do not name it."""
    return lambda random: (random.choice(("use ", "export it as ", "here: ")), make(random))


VALUES: dict[str, Callable[[Random], Made]] = {
    **{"email": email, "card": card, "iban": iban, "ssn": ssn, "national_id": national_id},
    **{"ip": ip, "mac": mac, "phone": phone, "birth_date": birth_date},
    **{"url_credentials": url_credentials, "jwt": jwt, "private_key": private_key},
    "password": password,
    **{name: key(make) for name, make in KEYS.items()},
}
DELIMITED = ("email", "card", "iban", "jwt", "private_key", *KEYS)  # tell where they end
