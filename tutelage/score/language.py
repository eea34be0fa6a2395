"""The language of a text: by its script, and among those of one script by its commonest words.

Enough to say whether an answer is in the language asked for; not a judge of dialects
or of a few words.
"""

from __future__ import annotations

import re
from collections import Counter

UNKNOWN = ""
WORD = re.compile(r"[^\W\d_]+")
SCRIPTS = (  # first and last letter, and the script
    *((0x0041, 0x024F, "latin"), (0x1E00, 0x1EFF, "latin"), (0x0370, 0x03FF, "el")),
    *((0x0400, 0x052F, "cyrillic"), (0x0590, 0x05FF, "he"), (0x0600, 0x06FF, "arabic")),
    *((0x0900, 0x097F, "devanagari"), (0x0980, 0x09FF, "bn"), (0x0A00, 0x0A7F, "pa")),
    *((0x0A80, 0x0AFF, "gu"), (0x0B80, 0x0BFF, "ta"), (0x0C00, 0x0C7F, "te")),
    *((0x0C80, 0x0CFF, "kn"), (0x0D00, 0x0D7F, "ml"), (0x0E00, 0x0E7F, "th")),
    *((0x3040, 0x30FF, "ja"), (0x4E00, 0x9FFF, "zh"), (0xAC00, 0xD7AF, "ko")),
)
COMMON = {  # the commonest words of each language
    "latin": {
        "en": "the of and to in is that it for was with as on are be this you have not by from "
        "or an at we they he my your can will its his her has but their which what all our",
        "es": "de la que el en y los se del las un por con una su para es al lo como más pero "
        "sus le ya este sí porque esta son muy también hay está",
        "pt": "de a o que e do da em um para com não uma os no se na por mais as dos como mas "
        "ao das à seu sua ou quando muito nos já também são você é",
        "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se "
        "ce il sont avec son cette ou elle nous vous être",
        "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als "
        "auch es an werden aus er hat dass sie nach wird bei ich wir",
        "it": "di e il la che è un in per una sono con non del si da le dei al come nel alla più "
        "anche della ha ma gli questo mio delle nella perché",
        "pl": "i w na z do się nie że to jest o za jak po co ale od dla tak przez są oraz być ma "
        "jego które",
        "fi": "ja on ei se että oli hän joka mutta kun myös ovat niin tai sen kuin olen minä "
        "hänen voi olla tämä mukaan sekä ole",
        "sw": "ya na wa kwa ni katika la za cha hii kama kuwa yake huu hiyo watu ambayo lakini "
        "pia au zaidi sana ili wote kila moja mtu",
        "vi": "và của là có trong cho không được một những với các người để này đã khi đến ở "
        "tôi bạn",
        "nl": "de het een en van ik te dat die in is niet zijn op aan met voor er maar om hem dan "
        "of wat mijn zo ook bij nog naar uit wordt",
        "sv": "och att det i en jag som på är av för med den till inte har om ett var så från de "
        "vi kan när också eller",
        "tr": "bir ve bu için da ne çok daha gibi ben var değil ama olarak kadar o her sonra mi "
        "ile olan",
        "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena "
        "tersebut bisa ada mereka lebih",
        "ro": "și de la în a cu pe că nu o este din care sunt pentru mai un se au fi ce",
    },
    "cyrillic": {
        "ru": "и в не на я что он с как это по но они к у за от так для же вы бы есть",
        "uk": "і в не на що з як це та до у за від для але він вони бути його про",
        "bg": "и на да се не за от в е са че с по които като това или до ще при съм този",
    },
    "arabic": {
        "ar": "في من على أن إلى هذا التي الذي هو مع ما لا كان عن هذه قد كل بين",
        "fa": "و در به از که این را با است برای آن یک می خود تا های شده",
        "ur": "کے میں کی ہے اور سے کا کو اس نے پر ہیں کہ یہ ایک",
    },
    "devanagari": {
        "hi": "के में की है और से का को पर यह हैं कि एक नहीं इस ने लिए भी था",
        "mr": "आहे आणि या च्या ते मध्ये हे की नाही एक होते आहेत केले व त्या करण्यात मी",
        "ne": "छ र को मा का लागि हो पनि गर्न यो भएको छन् एक गरेको त्यो तर हुन् ले",
    },
}
LETTERS = {  # letters that one language of a script has and the others hardly
    **{"es": "ñ¿¡", "pt": "ãõ", "fr": "œ", "de": "ß", "pl": "łąęśżź", "sv": "å", "tr": "ığş"},
    **{"vi": "đơưạảấầếềệịọốồộớờợụủứừ", "ro": "ășț", "ru": "ыэё", "uk": "їєґі", "bg": "ъ"},
    **{"ar": "ةإأ", "fa": "گچپژ", "ur": "ٹڈڑںے", "mr": "ळ"},
}


def detect(text: str) -> str | None:
    """Its ISO 639-1 code, None without a letter; empty where none of its words is known."""
    lowered = text.lower()
    counts = Counter(_script(letter) for letter in lowered if letter.isalpha())
    counts.pop("", None)
    if not counts:
        return None
    if counts["ja"]:
        counts["ja"] += counts.pop("zh", 0)  # Japanese is written in both
    script = counts.most_common(1)[0][0]
    return _by_words(lowered, script) if script in COMMON else script


def _script(letter: str) -> str:
    code = ord(letter)
    return next((name for first, last, name in SCRIPTS if first <= code <= last), "")


def _by_words(text: str, script: str) -> str:
    words = Counter(text.split() if script == "devanagari" else WORD.findall(text))
    letters = Counter(text)
    points = {
        language: sum(words[word] for word in known.split())
        + sum(letters[letter] for letter in LETTERS.get(language, ""))
        for language, known in COMMON[script].items()
    }
    best = max(points, key=lambda language: points[language])
    return best if points[best] else UNKNOWN
