"""T62–T76: adding, deleting, errors."""
import json, time

from .seed import TIMES, indicator
from .session import NotTestable, check, new_id, query
from .wire import STIX, TAXII, is_timestamp, strict_json

COUNTS = ("total_count", "success_count", "failure_count", "pending_count")


def _versions(a):
    return [o.get("modified") for o in a.resource().get("objects") or []]


@check("T62", "must", "A POST is answered 202 with a status resource.")
def t62(s):
    if s.refused:
        s.must(False, s.refused)
        return
    s.need_seed()
    a = s.post({"objects": [indicator()]})
    s.must(a.status == 202, f"{a}")
    s.must("status" in a.resource() and "id" in a.resource(), "the answer is no status resource")


def status_faults(r):
    """What is wrong with a status resource (T63), as texts."""
    out = []
    if not isinstance(r.get("id"), str):
        out.append(f"id {r.get('id')!r}")
    if r.get("status") not in ("complete", "pending"):
        out.append(f"status {r.get('status')!r}")
    for name in COUNTS:
        if not isinstance(r.get(name), int) or isinstance(r.get(name), bool) or r[name] < 0:
            out.append(f"{name} {r.get(name)!r}")
    if not out and r["success_count"] + r["failure_count"] + r["pending_count"] != r["total_count"]:
        out.append(f"the counts do not add up: {[r[n] for n in COUNTS]}")
    for name, count in (("successes", "success_count"), ("failures", "failure_count"), ("pendings", "pending_count")):
        if name in r:
            if not isinstance(r[name], list) or len(r[name]) != r.get(count):
                out.append(f"{name} has not {count} members")
            for d in r[name] if isinstance(r[name], list) else []:
                if not isinstance(d.get("id"), str) or not isinstance(d.get("version"), str):
                    out.append(f"{name}: {d}")
    return out


@check("T63", "must", "A status has its counts, which add up, and lists that are as long as they; details have id and version.")
def t63(s):
    s.need_seed()
    bad = {**indicator(), "pattern_type": 5}
    a = s.post({"objects": [indicator(), bad, indicator()]})
    s.must(a.status == 202, f"{a}")
    for r in (a.resource(), s.settle(a)):
        for fault in status_faults(r):
            s.must(False, fault)
    for old in s.statuses:
        for fault in status_faults(old.resource()):
            s.must(False, fault)
    s.must(a.resource().get("total_count") in (0, 3), f"total_count {a.resource().get('total_count')} for three objects")


@check("T64", "must", "complete is final: once said, the status does not change.")
def t64(s):
    s.need_seed()
    a = s.post({"objects": [indicator(), indicator()]})
    r = s.settle(a)
    s.must(r.get("status") == "complete", f"not complete after 20 s: {r}")
    path = f"{s.root}status/{r.get('id')}/"
    one, two = s.get(path), s.get(path)
    s.must(one.status == 200 and one.body == two.body and one.resource().get("status") == "complete", f"{one}, or it changes")
    s.must(all(one.resource().get(n) == r.get(n) for n in COUNTS), "the counts changed")


@check("T65", "must", "The same object again is no error, is not stored twice and keeps its date_added.")
def t65(s):
    s.need_seed()
    o = indicator()
    s.add(o)
    before = s.manifest({"match[id]": o["id"], "match[version]": "all"}).resource().get("objects")
    r = s.add(o)
    s.must(r.get("failure_count") == 0, f"the duplicate is a failure: {r}")
    s.advice(r.get("success_count") == 1, f"the duplicate is no success: {r}")
    r = s.add(dict(reversed(list(o.items()))))
    s.advice(r.get("failure_count") == 0, "the same object with its members in another order is a failure")
    r = s.add(o, o)
    s.must(r.get("failure_count") == 0, "twice in one envelope is a failure")
    after = s.manifest({"match[id]": o["id"], "match[version]": "all"}).resource().get("objects")
    s.must(before == after and len(after or []) == 1, f"the manifest was {before} and is {after}")


@check("T66", "advice", "Another content under a stored id and version: the stored one stays, and the status says so.")
def t66(s):
    s.need_seed()
    o = indicator(name="first")
    s.add(o)
    r = s.add({**o, "name": "second"})
    s.advice(r.get("failure_count") == 1 and (r.get("failures") or [{}])[0].get("message"), f"not reported: {r}")
    got = [x.get("name") for x in s.object(o["id"], {"match[version]": "all"}).resource().get("objects") or []]
    s.advice(got == ["first"], f"stored is {got}")


@check("T67", "must", "One bad object does not sink the others; a body that is no envelope gets 422, or 400.")
def t67(s):
    s.need_seed()
    good, bad = indicator(), {**indicator(), "created": "yesterday"}
    a = s.post({"objects": [bad, good]})
    r = s.settle(a)
    s.must(a.status == 202 and r.get("success_count") == 1 and r.get("failure_count") == 1, f"{a}: {json.dumps(r)[:200]}")
    s.must(s.object(good["id"]).status == 200, "the good one is not there")
    s.must(s.object(bad["id"]).status == 404, "the bad one is there")
    bodies = {"no JSON": b'{"objects": [', "a list": b"[]", "a text": b'"objects"', "a bundle": json.dumps({"type": "bundle", "id": new_id("bundle"), "objects": [indicator()]}).encode(), "nothing": b"", "objects no list": b'{"objects": {"a": 1}}',
              "objects of numbers": b'{"objects": [1, 2]}', "not UTF-8": b'{"objects": ["\xff\xfe"]}', "a member twice": b'{"objects":[],"objects":[]}', "deep": b'{"objects":' + b"[" * 100000 + b"]" * 100000 + b"}"}
    for what, body in bodies.items():
        a = s.post(body)
        s.must(400 <= a.status < 500 or (a.status == 202 and what in ("objects of numbers", "a bundle", "a member twice")), f"{a} for {what}")
        if what in ("no JSON", "a list", "a text"):
            s.advice(a.status in (400, 422), f"{a} for {what}")
    a = s.post({"objects": [indicator()]}, headers={"Accept": TAXII, "Content-Type": "text/plain"})
    s.must(a.status == 415, f"{a} for Content-Type: text/plain")
    a = s.post({"objects": [indicator()]}, headers={"Accept": TAXII, "Content-Type": STIX})
    s.must(a.status == 415, f"{a} for Content-Type: {STIX}")


@check("T68", "must", "Objects come back as they went in: numbers, texts, unknown properties, timestamps.")
def t68(s):
    seed = s.need_seed()
    for o in (seed.odd, seed.marking, seed.address, seed.link):
        got = s.object(o["id"]).resource().get("objects") or [None]
        want = strict_json(json.dumps(o).encode())
        s.must(got[0] == want, f"{o['type']}: {[k for k in want if (got[0] or {}).get(k) != want[k]] or 'members added'} changed")
    odd = s.object(seed.odd["id"]).resource().get("objects") or [{}]
    s.must(odd[0].get("modified") == seed.odd["modified"], f"modified was {seed.odd['modified']} and is {odd[0].get('modified')}")
    custom = {"type": "x-conformance-thing", "spec_version": "2.1", "id": new_id("x-conformance-thing"), "created": TIMES[0], "modified": TIMES[0], "value": 7}
    a = s.post({"objects": [custom]})
    s.advice(a.status == 202 and s.settle(a).get("success_count") == 1, f"{a}: a custom object type is not taken")


@check("T69", "must", "A status is kept for a day under its root; an unknown one gets 404; others do not see it.")
def t69(s):
    s.need_seed()
    for a in s.statuses:
        r = a.resource()
        got = s.get(f"{s.root}status/{r.get('id')}/")
        s.should(got.status == 200, f"{got}")
        s.must(got.resource().get("id") in (None, r.get("id")) and all(got.resource().get(n, r.get(n)) >= 0 for n in COUNTS if got.status == 200), "another status came")
    for unknown in ("11111111-1111-4111-8111-111111111111", "no-uuid"):
        a = s.get(f"{s.root}status/{unknown}/")
        s.must(a.status == 404, f"{a}")
    for o in s.others:
        a = s.get(f"{s.root}status/{s.statuses[0].resource().get('id')}/", authorization=o["authorization"])
        s.advice(a.status in (401, 403, 404), f"{a}: somebody else's status is shown")


@check("T70", "must", "Deleting needs the right to read and to write: with neither 404, with one of them 403.")
def t70(s):
    s.need_collection()
    oid = s.window[0]["id"] if s.window else new_id("indicator")
    cases = [(c, True, c.get("can_read"), c.get("can_write")) for c in s.collections if not (c.get("can_read") and c.get("can_write"))]
    cases += [(s.collection, o["authorization"], o["kind"] == "reader", o["kind"] == "writer") for o in s.others if o["kind"] != "full"]
    if s.read_only:
        cases = []
    for c, authorization, read, write in cases:
        a = s.wire.ask("DELETE", s.at(f"objects/{oid}/", c), authorization=authorization)
        want = 403 if read or write else 404
        s.must(a.status == want, f"{a} with {'read' if read else 'write' if write else 'no right'} instead of {want}")
    if not cases:
        raise NotTestable("this credential may read and write all, and there is no second one (--also)")


def _deletable(s):
    s.need_seed()
    oid = new_id("indicator")
    s.add(*[indicator(oid, t) for t in TIMES])
    return oid


@check("T71", "must", "Deleting without match[version] takes the last version, with all every one, with a version that one.")
def t71(s):
    oid = _deletable(s)
    a = s.delete(oid)
    if a.status in (403, 405, 501):
        raise NotTestable(f"the server does not delete: {a}")
    s.must(a.status == 200, f"{a}")
    s.must(_versions(s.object(oid, {"match[version]": "all"})) == TIMES[:2], "deleting without match[version] did not take the last version alone")
    s.must(s.delete(oid, {"match[version]": TIMES[0]}).status == 200, "an exact version cannot be deleted")
    s.must(_versions(s.object(oid, {"match[version]": "all"})) == TIMES[1:2], "deleting one version took another")
    oid = _deletable(s)
    s.must(s.delete(oid, {"match[version]": "all"}).status == 200, "match[version]=all")
    s.must(s.object(oid).status == 404, "a version is left after deleting all")
    s.must(s.delete(oid).status == 404, "what is gone can be deleted again")
    a = s.delete(_deletable(s), {"match[version]": "sideways"})
    s.must(a.status == 400, f"{a} for a malformed filter")


@check("T72", "must", "What was deleted answers 404 and is in no listing; while an older version remains the object answers.")
def t72(s):
    oid = _deletable(s)
    if s.delete(oid).status != 200:
        raise NotTestable("needs the right to delete")
    s.must(s.object(oid).status == 200, "an older version remains, and the object is gone")
    s.delete(oid, {"match[version]": "all"})
    for rest in ("", "versions/"):
        s.must(s.object(oid, {}, rest).status == 404, f"still there: {rest or 'object'}")
    for path in (s.at("objects/"), s.at("manifest/")):
        a = s.get(path, {"match[id]": oid, "match[version]": "all"})
        s.must(a.status == 200 and not a.resource().get("objects"), f"still listed: {a}")
    r = s.add(indicator(oid))
    s.advice(r.get("success_count") == 1 and s.object(oid).status == 200, "it cannot be written again")


@check("T73", "must", "The answer to a DELETE has an empty body, and the content type all the same.")
def t73(s):
    a = s.delete(_deletable(s))
    if a.status != 200:
        raise NotTestable("needs the right to delete")
    s.must(not a.body or a.json() == {}, f"body {a.body[:60]!r}")
    s.must(a.is_taxii(), f"Content-Type {a.header('Content-Type')}")


@check("T74", "must", "An error message, where there is one, has a title, and its http_status is a text that is the status.")
def t74(s):
    s.need_root()
    s.provoke()
    n = 0
    for a in s.wire.seen:
        if a.status < 400 or not a.body:
            continue
        n += 1
        r = a.resource()
        s.must(isinstance(r.get("title"), str) and r["title"], f"{a}: title {r.get('title')!r}")
        s.must("http_status" not in r or r["http_status"] == str(a.status), f"{a}: http_status {r.get('http_status')!r}")
        for name in ("description", "error_id", "error_code", "external_details"):
            s.must(name not in r or isinstance(r[name], str), f"{a}: {name} is no text")
        s.must("details" not in r or isinstance(r["details"], dict), f"{a}: details is no object")
    if not n:
        raise NotTestable("no error had a body")


TELLTALES = (b"Traceback", b"at java.", b"Exception:", b"/usr/", b"/home/", b"SELECT ", b".py\"", b"std::", b"line 1, in")


@check("T75", "should", "Errors show nothing of the inside.")
def t75(s):
    s.provoke()
    for a in s.wire.seen:
        if a.status >= 400:
            for mark in TELLTALES:
                s.should(mark not in a.body, f"{a} shows {mark.decode()!r}")


@check("T76", "must", "Answers and expensive queries are bounded: no request takes the server long.")
def t76(s):
    s.need_collection()
    many = ",".join(new_id("indicator") for _ in range(300))
    for options in ({"match[id]": many}, {"match[type]": ",".join(f"x-type-{i}" for i in range(300))}, {"limit": "1000000", "match[version]": "all"}, {"match[version]": "first,last," + ",".join(f"2020-01-01T00:00:{i:02}Z" for i in range(60))}):
        a = s.objects({**s.base, **options})
        s.must(a.status in (200, 400, 414, 431), f"{a.status} for {str(options)[:60]}")
        s.must(a.seconds < 10, f"{a.seconds:.1f} s for {str(options)[:60]}")
