"""The package as users install it."""
import json
import threading

import pytest

import entente

T = "2020-01-01T00:00:00.000Z"
TOOL = {"type": "tool", "spec_version": "2.1", "id": "tool--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "created": T, "modified": T, "name": "x"}
SCO = {"type": "domain-name", "spec_version": "2.1", "id": "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7", "value": "example.com"}
OBSERVED = {"type": "observed-data", "spec_version": "2.1", "id": "observed-data--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "created": T, "modified": T, "first_observed": T, "last_observed": T,
            "number_observed": 2, "object_refs": [SCO["id"]]}
BUNDLE = {"type": "bundle", "id": "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "objects": [OBSERVED, SCO]}


def test_parse_reads_every_form_and_refuses_what_is_not_strict():
    assert entente.parse(json.dumps(BUNDLE)) == [OBSERVED, SCO]
    assert entente.parse(json.dumps(TOOL).encode() + b"\n" + json.dumps(SCO).encode()) == [TOOL, SCO]
    with pytest.raises(entente.Error, match=r"given twice.*\(1 /type\)"):
        entente.parse('{"type":"tool","type":"tool"}')
    with pytest.raises(entente.Error, match="lone surrogate|not UTF-8"):
        entente.parse('{"type":"\ud800"}')


@pytest.mark.parametrize("form", [lambda o: o, json.dumps, lambda o: json.dumps(o).encode(), lambda o: [o], lambda o: {"objects": [o]}])
def test_validate_says_what_stix2_validator_says_and_more(form):
    assert entente.validate(form(TOOL)).is_valid
    report = entente.validate(form({**TOOL, "confidence": 101, "tool_types": ["odd"]}))
    assert not report.is_valid
    (o,) = [o for o in report.objects if o.is_object]
    assert (o.object_id, o.type, o.is_valid) == (TOOL["id"], "tool", False)
    assert [(f.code, f.level, f.pointer) for f in o.errors] == [("S13-range", "error", "/confidence")]
    assert [(f.code, f.level) for f in o.warnings] == [("S11-vocabulary", "warning")]
    assert "S13-range /confidence: confidence is out of range (STIX 2.1 §3.2)" == str(report.errors[0])


def test_options():
    custom = {**TOOL, "x_a": 1}
    assert entente.validate(custom).is_valid and not entente.validate(custom, strict=True).is_valid
    assert entente.validate(custom, strict=True, disable=["S15-custom-property"]).is_valid
    assert entente.validate(custom, warnings=False).warnings == []
    with pytest.raises(entente.Error, match="S99"):
        entente.validate(TOOL, disable=["S99"])
    two = [TOOL, {**TOOL, "name": "y"}]
    assert [f.code for f in entente.validate(two).errors] == ["S22-version-content"]
    assert entente.validate(two, together=False).is_valid
    assert len(entente.codes()) > 80 and {c.level for c in entente.codes()} == {"error", "warning"}


def test_faults_of_the_text_are_findings_with_their_line():
    report = entente.validate(json.dumps(TOOL) + "\n{\n" + json.dumps(TOOL))
    assert [(o.line, [f.code for f in o.errors]) for o in report.objects] == [(1, []), (2, ["S1-json"]), (3, [])]
    assert not entente.validate("").is_valid


def test_deterministic_id():
    assert entente.deterministic_id({"type": "ipv4-addr", "value": "198.51.100.3"}) == "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"
    assert entente.deterministic_id('{"type":"process","pid":5}') is None
    with pytest.raises(entente.Error):
        entente.deterministic_id("{")


def test_patterns():
    p = entente.Pattern.compile("[domain-name:value  =  'example.com']")
    assert p.text == "[domain-name:value = 'example.com']" and p.warnings == []
    assert p.match([BUNDLE]) == [OBSERVED] and p.match(BUNDLE) == [OBSERVED] and p.match(json.dumps(BUNDLE)) == [OBSERVED]
    assert entente.match("[domain-name:value = 'other.example']", [BUNDLE]) == []
    assert entente.match("[domain-name:value = 'example.com'] REPEATS 2 TIMES", [BUNDLE], stix_version="2.1") == [OBSERVED]
    assert entente.match("[domain-name:value = 'example.com'] REPEATS 3 TIMES", [BUNDLE], False, "2.1") == []
    with pytest.raises(entente.PatternError, match="1:22"):
        entente.Pattern.compile("[domain-name:value = ]")
    assert entente.Pattern("[file:size = +1]").warnings
    assert entente.Pattern("[file:name = " + entente.quote("it's \\ x") + "]").text == "[file:name = 'it\\'s \\\\ x']"


def test_match_takes_what_stix2_matcher_takes(capsys):
    old = {"type": "observed-data", "id": "observed-data--1", "first_observed": T, "last_observed": T, "number_observed": 1, "objects": {"0": {"type": "file", "name": "a"}}}
    other = {**old, "id": "observed-data--2", "objects": {"0": {"type": "file", "name": "b"}}}
    assert entente.match("[file:name = 'b']", [old, other]) == [other]
    assert entente.match("[file:name = 'a'] AND [file:name = 'b']", [old, other], verbose=True) == [old, other]
    assert "observed-data--2" in capsys.readouterr().out


def test_agrees_with_stix2_matcher():
    matcher = pytest.importorskip("stix2matcher.matcher")
    old = [{"type": "observed-data", "id": f"observed-data--{i}", "first_observed": f"2020-01-01T00:00:0{i}.000Z", "last_observed": f"2020-01-01T00:00:0{i}.000Z", "number_observed": 1,
            "objects": {"0": {"type": "file", "name": n, "size": i}}} for i, n in enumerate("aba")]
    for pattern in ("[file:name = 'a']", "[file:name = 'c']", "[file:name = 'a'] FOLLOWEDBY [file:name = 'b']", "[file:name = 'a'] REPEATS 3 TIMES", "[file:size > 1]", "[file:name LIKE '%'] WITHIN 5 SECONDS",
                    "[file:name = 'b'] FOLLOWEDBY [file:name = 'a'] WITHIN 3 SECONDS", "[file:name = 'a' AND file:size = 2]", "[file:name IN ('x', 'b')]", "[file:name = 'a'] REPEATS 2 TIMES"):
        theirs = matcher.match(pattern, old, stix_version="2.0")
        assert bool(entente.match(pattern, old)) == bool(theirs), pattern


def test_objects_of_python_stix2_are_taken():
    stix2 = pytest.importorskip("stix2")
    bundle = stix2.v21.Bundle(stix2.v21.Tool(name="x"), stix2.v21.DomainName(value="example.com"))
    assert entente.validate(bundle).is_valid
    name = stix2.v21.DomainName(value="example.com")
    assert entente.deterministic_id(name) == name.id


def test_threads_share_a_pattern():
    p, wrong = entente.Pattern("[domain-name:value = 'example.com']"), []

    def work():
        for _ in range(200):
            if p.match([BUNDLE]) != [OBSERVED] or not entente.validate(BUNDLE).is_valid:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
