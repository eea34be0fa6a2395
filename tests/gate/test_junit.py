from __future__ import annotations

from xml.etree import ElementTree

from tutelage.gate.junit import junit


def rule(text: str, outcome: str, **changes: object) -> dict[str, object]:
    return {
        "rule": text,
        "suite": "calls",
        "outcome": outcome,
        "because": "the bound is 0.9 & more",
        "advice": "" if outcome == "pass" else "about 40 more tasks",
        "slices": [],
        **changes,
    }


def test_what_xml_has_no_place_for_is_written_as_an_escape() -> None:
    told = "a\x01b\x00\uffff\N{RIGHT-TO-LEFT OVERRIDE}"
    bad = rule(f"calls.a@i={told} >= 1", "fail", because=told, advice="", suite=told)
    root = ElementTree.fromstring(junit({"rules": [bad], "evidence": {"report": told}}, told))
    shown = "a\\x01b\\x00\\uffff\\u202e"
    (case,) = root.iter("testcase")
    (fault,) = case.iter("failure")
    assert case.get("name") == f"calls.a@i={shown} >= 1"
    assert (fault.get("message"), fault.text) == (shown, shown)


def test_every_rule_is_a_test_and_a_shut_one_does_not_pass() -> None:
    slices = [rule("calls.a@i=x >= 1", "pass"), rule("calls.a@i=y >= 1", "fail")]
    verdict = {
        "rules": [
            rule("calls.parse >= 0.9", "pass"),
            rule("calls.valid >= 0.9", "fail"),
            rule("calls.slot_f1 >= few_shot", "inconclusive"),
            rule("calls.a@i=* >= 1", "fail", slices=slices),
        ],
        "evidence": {"report": "ab12"},
    }
    root = ElementTree.fromstring(junit(verdict, "intents"))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "2", "1")
    (suite,) = root.findall("testsuite")
    assert suite.get("name") == "intents"
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    assert list(cases["calls.parse >= 0.9"]) == []
    failure = cases["calls.valid >= 0.9"].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == (
        "the bound is 0.9 & more",
        "about 40 more tasks",
    )
    assert cases["calls.slot_f1 >= few_shot"].find("error") is not None
    assert cases["calls.a@i=y >= 1"].find("failure") is not None
    (prop,) = suite.iter("property")
    assert (prop.get("name"), prop.get("value")) == ("report", "ab12")
