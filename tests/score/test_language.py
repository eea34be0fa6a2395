from __future__ import annotations

import pytest

from tutelage.score.language import detect
from tutelage.score.sentences import lines_and_sentences, sentences
from tutelage.score.tokens import treebank

SAID = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos, não é?",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti, e sono così.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "fi": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina, eikä se ole vain sana.",
    "sw": "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa kwa kila mtu.",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "ru": "Все люди рождаются свободными и равными в своём достоинстве, но это не всё.",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "bg": "Всички хора се раждат свободни и равни по достойнство и права, и това не е малко.",
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق، وهذا من حق كل إنسان.",
    "fa": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند که این است.",
    "ur": "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "mr": "सर्व मानवी व्यक्ती जन्मतः स्वतंत्र आहेत आणि त्यांना समान प्रतिष्ठा व हक्क आहेत .",
    "ne": "सबै मानिस जन्मैदेखि स्वतन्त्र छन् र उनीहरू समान छन् , यो अधिकार हो ।",
    "ja": "すべての人間は、生れながらにして自由であり、尊厳と権利とについて平等である。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 평등하다.",
    "zh": "人人生而自由，在尊严和权利上一律平等。",
    "he": "כל בני האדם נולדו בני חורין ושווים.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระ",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι.",
    "ta": "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்",
    "te": "మానవులందరు జన్మతః స్వతంత్రులు",
    "kn": "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರು",
    "ml": "മനുഷ്യരെല്ലാവരും സ്വതന്ത്രരാണ്",
    "bn": "সমস্ত মানুষ স্বাধীনভাবে জন্মগ্রহণ করে",
    "gu": "બધા માનવો સ્વતંત્ર જન્મે છે",
    "pa": "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਜ਼ਾਦ ਹੈ",
}


@pytest.mark.parametrize("language", sorted(SAID))
def test_each_language_is_told_by_one_sentence(language: str) -> None:
    assert detect(SAID[language]) == language
    assert detect(SAID[language].upper()) == language


def test_without_letters_or_known_words_nothing_is_claimed() -> None:
    assert detect("42!") is None
    assert detect("Mullet") == ""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Lee met J. Smith at 3 p.m. in the U.S. capital. They spoke.", 2),
        ("It cost 3.50. Why? Nobody knows!", 3),
        ('He said "no." Then he left.', 2),
        ("1. First point", 1),
        ("Well... maybe. Well... Yes", 3),
        ("", 0),
        ("no mark at all", 1),
    ],
)
def test_sentences_end_at_their_marks(text: str, count: int) -> None:
    assert len(sentences(text)) == count


def test_a_line_ends_a_sentence_where_lists_are_read() -> None:
    assert lines_and_sentences("Title\n- one thing. Two\n\n") == ["Title", "- one thing.", "Two"]


def test_marks_and_clitics_stand_apart() -> None:
    assert treebank("Don't stop, U.S.A. fans... it's 3.5!") == [
        *("Do", "n't", "stop", ",", "U.S.A.", "fans", "...", "it", "'s", "3.5", "!"),
    ]
