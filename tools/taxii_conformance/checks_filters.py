"""T48–T61: filters, and the resources that answer to them."""
from .seed import TIMES, indicator
from .session import NotTestable, check, new_id
from .wire import STIX, is_timestamp


def _ids(a):
    return [o.get("id") for o in a.resource().get("objects") or []]


def _versions(a):
    """(status, versions of the objects of an envelope)"""
    return a.status, [o.get("modified") for o in a.resource().get("objects") or []]


@check("T48", "must", "A malformed parameter gets 400; fields are ANDed, values in one field ORed; brackets and commas may be percent-encoded.")
def t48(s):
    seed = s.need_seed()
    for bad in ([("match[type]", "indicator"), ("match[type]", "malware")], [("match[version]", "sideways")], [("match[type]", "")], [("match[id]", "a,,b")]):
        a = s.objects(bad)
        s.must(a.status == 400, f"{a.status} for {bad}")
    a = s.get(s.at("objects/") + "?match[type]=%zz")
    s.must(a.status == 400, f"{a.status} for a bad percent-encoding")
    two = [seed.plain[0]["id"], seed.malware["id"]]
    s.must(_ids(s.objects({"match[id]": ",".join(two)})) == [seed.malware["id"], seed.plain[0]["id"]], "values of one field are not ORed")
    s.must(_ids(s.objects({"match[id]": ",".join(two), "match[type]": "malware"})) == [two[1]], "fields are not ANDed")
    encoded = s.get(s.at("objects/") + f"?match%5Bid%5D={two[0]}%2C{two[1]}")
    s.must(_ids(encoded) == [two[1], two[0]], f"{encoded.status}, {len(_ids(encoded))} items with encoded brackets and comma")


@check("T49", "advice", "Unknown match fields and unknown parameters are ignored.")
def t49(s):
    records = s.need_window(1)
    for name in ("match[confidence]", "foo", "match[x_anything]"):
        a = s.objects({"match[id]": records[0]["id"], name: "5"})
        s.advice(a.status == 200 and _ids(a) == [records[0]["id"]], f"{a.status} for {name}=5")


@check("T50", "must", "Each endpoint knows its filters: all seven for objects and manifest; versions and spec versions for one object; spec versions for its versions.")
def t50(s):
    seed = s.need_seed()
    d3 = seed.dates.get((seed.multi, TIMES[2]))
    for path in (s.at("objects/"), s.at("manifest/")):
        s.must(_ids(s.get(path, {"match[id]": seed.multi, "match[type]": "malware"})) == [], f"{path}: match[type] does nothing")
        s.must(_ids(s.get(path, {"match[id]": seed.multi, "match[spec_version]": "2.0"})) == [], f"{path}: match[spec_version] does nothing")
        s.must(len(_ids(s.get(path, {"match[id]": seed.multi, "match[version]": "all"}))) == 3, f"{path}: match[version] does nothing")
        s.must(len(_ids(s.get(path, {"match[id]": seed.multi, "match[version]": "all", "limit": 1}))) == 1, f"{path}: limit does nothing")
        if d3:
            s.must(len(_ids(s.get(path, {"match[id]": seed.multi, "match[version]": "all", "added_after": d3}))) == 1, f"{path}: added_after does nothing")
    a = s.object(seed.multi, {"match[version]": "all"})
    s.must(len(_ids(a)) == 3, "object: match[version] does nothing")
    s.must(len(_ids(s.object(seed.multi, {"match[version]": "all", "limit": 2}))) == 2, "object: limit does nothing")
    s.must(_ids(s.object(seed.multi, {"match[spec_version]": "2.0"})) == [], "object: match[spec_version] does nothing")
    s.must(not s.object(seed.multi, {"match[spec_version]": "2.0"}, "versions/").resource().get("versions"), "versions: match[spec_version] does nothing")
    s.must(len(s.object(seed.multi, {"limit": 2}, "versions/").resource().get("versions") or []) == 2, "versions: limit does nothing")
    if d3:
        s.must(_versions(s.object(seed.multi, {"match[version]": "all", "added_after": d3})) == (200, [TIMES[1]]), "object: added_after does nothing")
        s.must(len(s.object(seed.multi, {"added_after": d3}, "versions/").resource().get("versions") or []) == 1, "versions: added_after does nothing")


@check("T51", "must", "match[id] is exact; match[type] gives the listed types only, and a type that nothing has is no error.")
def t51(s):
    seed = s.need_seed()
    s.must(_ids(s.objects({"match[id]": seed.multi})) == [seed.multi], "match[id] does not find the object")
    s.must(_ids(s.objects({"match[id]": seed.multi[:-1]})) == [], "match[id] takes a part of an id")
    a = s.objects({**s.base, "match[type]": "malware,relationship", "limit": 500})
    s.must(set(_ids(a)) >= {seed.malware["id"], seed.link["id"]} and all(i.split("--")[0] in ("malware", "relationship") for i in _ids(a)), "match[type] of two types")
    for kind in ("opinion", "grouping", "x509-certificate", "language-content", "extension-definition", "x-nothing"):
        a = s.objects({**s.base, "match[type]": kind})
        s.must(a.status == 200, f"{a.status} for match[type]={kind}")


@check("T52", "must", "match[spec_version] gives the listed spec versions only; objects of 2.1 without the property count as 2.1.")
def t52(s):
    seed = s.need_seed()
    ids = ",".join([seed.multi, seed.address["id"], seed.marking["id"]])
    for value, n in (("2.1", 3), ("2.0", 0), ("2.0,2.1", 3), ("2.1,2.0", 3)):
        a = s.objects({"match[id]": ids, "match[spec_version]": value})
        s.must(a.status == 200 and len(_ids(a)) == n, f"{a.status}, {len(_ids(a))} of {n} for {value}")


@check("T53", "must", "match[version] takes last (the default), first, all, exact versions and their unions; all with others, twice and nonsense get 400.")
def t53(s):
    seed = s.need_seed()
    t1, t2, t3 = TIMES
    cases = {None: [t3], "last": [t3], "first": [t1], "all": [t1, t3, t2], t2: [t2], "first,last": [t1, t3], "last,first": [t1, t3], f"first,{t2},last": [t1, t3, t2], f"{t1},{t2}": [t1, t2], f"first,{t1}": [t1],
             "2019-01-01T00:00:00.000Z": []}
    for value, want in cases.items():
        for path in (s.at("objects/"), s.at(f"objects/{seed.multi}/")):
            options = {"match[id]": seed.multi} if path.endswith("objects/") else {}
            got = _versions(s.get(path, {**options, **({"match[version]": value} if value else {})}))
            s.must(got == (200, want), f"{path[-60:]} match[version]={value}: {got} instead of {want}")
    for bad in ("all,last", "first,all", "last,last", f"{t1},{t1}", "", "last,", "newest"):
        a = s.objects({"match[id]": seed.multi, "match[version]": bad})
        s.must(a.status == 400, f"{a.status} for match[version]={bad!r}")


@check("T54", "must", "Versions are compared as instants, not as texts.")
def t54(s):
    seed = s.need_seed()
    for text in ("2020-01-02T00:00:00Z", "2020-01-02T00:00:00.0Z", "2020-01-02T00:00:00.000000Z"):
        got = _versions(s.objects({"match[id]": seed.multi, "match[version]": text}))
        s.must(got == (200, [TIMES[1]]), f"{text}: {got}")


@check("T55", "must", "Last and first are by version, not by date added, among what the other filters leave.")
def t55(s):
    seed = s.need_seed()
    s.must(_versions(s.objects({"match[id]": seed.multi})) == (200, [TIMES[2]]), "an old version written late has become the last one")
    d1, d3 = (seed.dates.get((seed.multi, t)) for t in (TIMES[0], TIMES[2]))
    if d1 and d3:
        s.must(_versions(s.objects({"match[id]": seed.multi, "added_after": d3})) == (200, [TIMES[1]]), "the last of what was added after the newest version is not found")
        s.must(_versions(s.objects({"match[id]": seed.multi, "added_after": d1, "match[version]": "first"})) == (200, [TIMES[1]]), "the first of what was added after the first version is not by version")


@check("T56", "must", "The version of an object without modified is created; with neither it is its date added.")
def t56(s):
    seed = s.need_seed()
    records = {r["id"]: r for r in s.manifest({"match[id]": f"{seed.address['id']},{seed.marking['id']}"}).resource().get("objects") or []}
    a, m = records.get(seed.address["id"], {}), records.get(seed.marking["id"], {})
    s.must(m.get("version") == seed.marking["created"], f"marking definition: version {m.get('version')}, created {seed.marking['created']}")
    s.must(is_timestamp(a.get("version")), f"cyber-observable: version {a.get('version')!r}")
    s.advice(a.get("version") == a.get("date_added"), f"cyber-observable: version {a.get('version')}, date_added {a.get('date_added')}")
    got = s.object(seed.address["id"], {}, "versions/").resource().get("versions")
    s.must(got == [a.get("version")], f"versions says {got}, the manifest {a.get('version')}")
    if a.get("version"):
        s.must(_ids(s.objects({"match[id]": seed.address["id"], "match[version]": a["version"]})) == [seed.address["id"]], "the version that the manifest names does not select it")


@check("T57", "must", "Filters of the manifest look at the object.")
def t57(s):
    seed = s.need_seed()
    a = s.manifest({**s.base, "match[type]": "malware"})
    s.must(_ids(a) == [seed.malware["id"]], f"{a.status}, {len(_ids(a))} records for match[type]=malware")


@check("T58", "must", "A manifest record is one object version with id, date_added and version; media_type is one of the collection's.")
def t58(s):
    records = s.need_window(1)
    types = s.collection.get("media_types") or ["application/stix+json"]
    for r in records:
        s.must(isinstance(r.get("id"), str) and is_timestamp(r.get("date_added")) and isinstance(r.get("version"), str), f"record {r}")
        if "media_type" in r:
            s.must(r["media_type"] in types or types == ["application/stix+json"], f"media_type {r['media_type']}")
    if s.seed:
        got = [r.get("version") for r in s.manifest({"match[id]": s.seed.multi, "match[version]": "all"}).resource().get("objects") or []]
        s.must(got == [TIMES[0], TIMES[2], TIMES[1]], f"versions in the manifest: {got}")


@check("T59", "must", "versions lists all versions in the order in which they were added; none is an empty object.")
def t59(s):
    seed = s.need_seed()
    got = s.object(seed.multi, {}, "versions/").resource().get("versions")
    s.must(got == [TIMES[0], TIMES[2], TIMES[1]], f"{got}")
    a = s.object(seed.multi, {"match[spec_version]": "2.0"}, "versions/")
    s.must(a.status == 200 and a.json() == {}, f"{a.status} {a.body[:60]!r} for none")


@check("T60", "must", "One object is answered as an envelope with its last version; an unknown id gets 404; known and filtered out is an empty 200.")
def t60(s):
    records = s.need_window(1)
    s.must(_ids(s.object(records[0]["id"])) == [records[0]["id"]], "a known object is not answered")
    unknown = new_id("indicator")
    for rest in ("", "versions/"):
        a = s.object(unknown, {}, rest)
        s.must(a.status == 404, f"{a.status} for an unknown object{' (versions)' * bool(rest)}")
    for options in ({"match[version]": "1999-01-01T00:00:00.000Z"}, {"added_after": "2999-01-01T00:00:00.000000Z"}):
        a = s.object(records[0]["id"], options)
        s.must(a.status == 200 and a.json() == {}, f"{a.status} {a.body[:60]!r} for {options}")


@check("T61", "must", "An envelope has more, next and objects; its members are STIX objects, never a bundle.")
def t61(s):
    s.need_window(1)
    r = s.objects({**s.base, "limit": 100}).resource()
    s.must(set(r) <= {"more", "next", "objects"}, f"members {sorted(r)}")
    for o in r.get("objects") or []:
        s.must(isinstance(o, dict) and isinstance(o.get("type"), str) and o["type"] != "bundle" and str(o.get("id", "")).startswith(o["type"] + "--"), f"member {str(o)[:80]}")
