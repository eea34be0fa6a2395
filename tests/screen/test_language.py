"""Languages by script and common words; `und` where too little tells."""

from __future__ import annotations

import pytest

from tutelage.screen.language import language

SAID = {
    "en": "Could you tell me how long it will take until the parcel is here?",
    "de": "Wie lange wird es dauern, bis das Paket bei mir ist, und wer bringt es?",
    "fr": "Combien de temps est-ce qu'il faut pour que le colis arrive dans la ville ?",
    "es": "¿Cuánto tiempo tarda en llegar el paquete a la ciudad y por qué no está aquí?",
    "pt": "Quanto tempo é que a encomenda demora a chegar e por que ainda não está aqui?",
    "it": "Quanto tempo ci vuole perché il pacco arrivi e non si può fare di più?",
    "nl": "Hoe lang duurt het voordat het pakket er is en wie brengt het naar mij?",
    "sv": "Hur lång tid tar det innan paketet är här och vem är det som har det?",
    "pl": "Ile czasu trzeba, żeby paczka była na miejscu, i czy ktoś ją ma?",
    "hu": "Mennyi idő, amíg a csomag megérkezik, és ki az, aki hozza, ha nem te?",
    "tr": "Bu paket ne kadar sonra gelir ve bir gün daha beklemek gerekir mi?",
    "ru": "Сколько времени нужно, чтобы посылка была здесь, и кто её принесёт?",
    "uk": "Скільки часу треба, щоб посилка була тут, і хто її принесе?",
    "el": "Πόση ώρα χρειάζεται το δέμα;",
    "he": "כמה זמן זה לוקח?",
    "ar": "كم من الوقت يحتاج هذا الطرد إلى أن يصل ومن الذي معه",
    "hi": "यह पार्सल कब तक आएगा और इस को कौन लाएगा",
    "ja": "荷物が届くまでどのくらいかかりますか。",
    "zh": "包裹需要多长时间才能到？",
    "ko": "소포가 도착하려면 얼마나 걸리나요?",
    "th": "พัสดุจะใช้เวลานานเท่าไร",
}


@pytest.mark.parametrize("name", SAID)
def test_a_sentence_tells_its_language(name: str) -> None:
    assert language(SAID[name]) == name


@pytest.mark.parametrize("text", ["", "42", "{}", "Madrid", "print(x[1])", "AKJ-2231-X", "🙂"])
def test_what_has_no_common_words_is_undetermined(text: str) -> None:
    assert language(text) == "und"


def test_a_foreign_name_in_a_sentence_does_not_change_its_language() -> None:
    assert language("Please send it to Москва today, it is for the family of my friend.") == "en"
