"""What Presidio's pattern recognisers find: texts as JSON on stdin, findings as JSON on stdout.

Run by `detectors.py --rival PYTHON`, an interpreter that has presidio-analyzer 2.2.366. The
language model is a blank one: recognisers of names and places have nothing to go by and are
left out, and the recognisers of patterns see the words around a match as they do by default.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

KINDS = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS")


def main() -> None:
    texts = json.load(sys.stdin)
    analyzer = opened()
    analyzer.analyze(text="a", language="en", entities=list(KINDS))
    began = time.process_time()
    found = [analyzer.analyze(text=text, language="en", entities=list(KINDS)) for text in texts]
    seconds = time.process_time() - began
    told = [[[one.entity_type, one.start, one.end] for one in own] for own in found]
    json.dump({"found": told, "seconds": seconds}, sys.stdout)


def opened() -> Any:
    """Presidio with its own recognisers and no trained model."""
    import spacy  # the rival's environment alone has these
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

        def load(self) -> None:
            """Nothing to load."""

    return AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])


if __name__ == "__main__":
    main()
