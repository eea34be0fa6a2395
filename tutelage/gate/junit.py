"""A verdict as JUnit XML, which continuous integration shows as tests: a rule each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from tutelage.core.printable import printable


def junit(verdict: Mapping[str, Any], name: str) -> bytes:
    """The XML of `verdict.json`; `name` is the recipe's.

    A rule that fails is a failure; one that is inconclusive is an error, as the gate
    stays shut for it too. A family is its slices.
    """
    cases = [case for rule in verdict["rules"] for case in _cases(rule)]
    tally = {
        "tests": len(cases),
        "failures": sum(1 for one in cases if one.find("failure") is not None),
        "errors": sum(1 for one in cases if one.find("error") is not None),
    }
    counts = {key: str(value) for key, value in tally.items()}
    root = ElementTree.Element("testsuites", {"name": "tutelage gate", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
    properties = ElementTree.SubElement(suite, "properties")
    for key, digest in verdict.get("evidence", {}).items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": str(digest)})
    suite.extend(cases)
    for element in root.iter():  # XML has no place for what rows may hold
        element.attrib = {key: _legal(value) for key, value in element.attrib.items()}
        element.text = _legal(element.text) if element.text else element.text
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _legal(text: str) -> str:
    return printable(text).translate({0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"})


def _cases(rule: Mapping[str, Any]) -> Iterator[ElementTree.Element]:
    if rule["slices"]:
        for one in rule["slices"]:
            yield from _cases({**one, "slices": []})
        return
    where = {"classname": f"gate.{rule['suite']}", "name": rule["rule"]}
    case = ElementTree.Element("testcase", where)
    if rule["outcome"] != "pass":
        kind = "failure" if rule["outcome"] == "fail" else "error"
        told = {"message": rule["because"], "type": rule["outcome"]}
        fault = ElementTree.SubElement(case, kind, told)
        fault.text = rule["advice"] or rule["because"]
    yield case
