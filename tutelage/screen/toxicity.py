"""Marks of toxicity: obscene words, slurs, insults, threats, and words that deny people's worth.

A mark is no proof. People quote, report and condemn such words, friends swear, and hatred in
polite words has no mark: what is found here is for a report, and only where the recipe asks for
it. How often it is wrong, on texts that people have rated: docs/curation.md.
"""

from __future__ import annotations

from functools import cache

from tutelage.core.finding import Finding
from tutelage.screen.scan import Match, Rule, Scanner, Span

DETECTOR = "toxicity"
KINDS = ("obscene", "slur", "insult", "threat", "dehumanising")

_PEOPLE = (
    r"(?:they|these people|those people|them|immigrants|migrants|refugees|foreigners|minorities|"
    r"blacks|black people|whites|white people|asians|arabs|jews|muslims|christians|hindus|"
    r"mexicans|africans|indians|chinese|gypsies|women|men|girls|gays|gay people|lesbians|"
    r"homosexuals|transgender people|trans people|(?:the )?disabled(?: people)?|"
    r"people with disabilities|old people|poor people|fat people|liberals|conservatives)"
)
_LOW = (
    r"(?:inferior|subhuman|sub-human|less than human|not human|worthless|useless|parasites?|"
    r"vermin|scum|filth|filthy|trash|garbage|animals|beasts|savages|cockroaches|rats|pigs|"
    r"leeches|degenerates?|deviants?|perverts?|perverted|abominations?|disgusting|vile|evil|dirty|"
    r"stupid|dumb|lazy|criminals|thieves|liars|a (?:burden|plague|disease|cancer|menace|curse|"
    r"stain|drain|threat|danger)(?: (?:to|on|of) (?:us|the|our|humanity|society|this|civilization)"
    r")?)"
)
_NAMES = (
    r"(?:idiots?|morons?|imbeciles?|retards?|scumbags?|losers?|dumbass(?:es)?|dipshits?|dickheads?|"
    r"bastards?|pigs?|freaks?|creeps?|trash|scum|pathetic|worthless|stupid|ugly|disgusting|"
    r"piece of (?:shit|crap|garbage|trash))"
)
_HARM = r"(?:kill|murder|hurt|beat|rape|stab|strangle|choke|slaughter|butcher|exterminate|lynch)"
_WHOM = r"(?:you|him|her|every(?:one|body)|yourself|(?:all of )?them all|all of (?:you|them)|your)"
RULES = {
    "slur": r"(?i)\b(?:nigg(?:er|a)s?|faggots?|tranny|trannies|kikes?|wetbacks?|"
    r"gooks?|pakis?|towelheads?|ragheads?|retards?|retarded|shemales?|"
    r"sand nigg(?:er|a)s?)\b",
    "threat": r"(?i)\b(?:i|we)(?:'ll| will| shall| am going to|'m going to|'m gonna| want to|"
    rf" wanna| would love to|'d love to) {_HARM} {_WHOM}\b"
    r"|\b(?:you|they|he|she|all of them) (?:deserves?|should|ought|needs?) "
    r"(?:to )?(?:all )?(?:die|suffer|rot|be (?:\w+ )?(?:shot|killed|hanged|burned alive|"
    r"exterminated|eradicated|wiped out|beaten|raped))\b"
    rf"|\b{_HARM} (?:yourself|them all|all of them)\b",
    "dehumanising": rf"(?i)\b{_PEOPLE} (?:are|is|were) (?:all |just |only |simply |nothing but |"
    rf"inherently |naturally |like |really |such |nothing more than ){{0,2}}{_LOW}\b"
    r"|\b(?:sub-?human|untermensch\w*|master race|race traitors?|mud people)\b"
    rf"|\b{_PEOPLE} (?:should|must|do|deserve)(?: not|n't) (?:be allowed|have|deserve|get) "
    r"(?:the same|equal|any) (?:rights|treatment|respect|pay)\b"
    r"|\bgo back to (?:your|their) (?:own )?(?:country|countries|land|homeland)\b"
    rf"|\b(?:kick|throw|drive|ship|send) {_PEOPLE} (?:all )?(?:out of|back to) (?:our|this|their)\b"
    r"|\b(?:threat|danger|menace|plague|cancer|burden|disease) (?:to|on|of|for) (?:our |the |all )?"
    r"(?:\w+ ){0,3}(?:society|humanity|civili[sz]ation|nation|race|mankind|species)\b"
    r"|\b(?:unnatural|immoral|deviant|sinful|perverse|perverted|disgusting|abominable),? "
    r"(?:and|or|,) (?:\w+,? (?:and )?)?(?:unnatural|immoral|deviant|sinful|evil|wrong|perverse|"
    r"perverted|disgusting|dangerous|harmful|abominable)\b",
    "insult": rf"(?i)\byou(?:'re| are|r)? (?:all |just |such |really |so |too |nothing but |truly )"
    rf"{{0,2}}(?:an? )?(?:\w+ )?{_NAMES}\b"
    r"|\byou (?:\w+ )?(?:idiots?|morons?|bitch(?:es)?|bastards?|cunts?|whores?|sluts?|assholes?|"
    r"scum|losers?|pigs?)\b"
    r"|\b(?:shut the (?:fuck|hell) up|go to hell|drop dead|screw you|fuck (?:you|off)|"
    r"piece of (?:shit|garbage)|nobody (?:likes|loves|wants) you)\b",
    "obscene": r"(?i)\b(?:(?:mother)?fuck\w{0,6}|bull ?shit\w{0,4}|shit(?:ty|head|s)?|assholes?|"
    r"arseholes?|cunts?|bitch(?:es|y|ing)?|whores?|sluts?|cock ?suckers?|wankers?|twats?|"
    r"blow ?jobs?|jerk(?:ing)? off|cum ?shots?|titties|pussy|dildos?|dickheads?)\b",
}


def find_toxicity(text: str) -> list[Finding]:
    """What in the text is a mark of toxicity, by KINDS."""
    return scanner().find(text)


@cache
def scanner() -> Scanner:
    """The rules, compiled once."""
    rules = [
        Rule(kind=kind, pattern=_as_written(look), span=_whole) for kind, look in RULES.items()
    ]
    return Scanner(DETECTOR, rules)


def _as_written(look: str) -> str:
    """The rule for apostrophes of every kind, and for blanks of any number and kind."""
    spread = look.replace(" ?", r"\s*").replace(" ", r"\s+")
    return spread.replace("'", "['\u2019]")


def _whole(text: str, match: Match) -> Span | None:
    return match.start(), match.end()
