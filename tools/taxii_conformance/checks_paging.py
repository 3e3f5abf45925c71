"""T37–T47: order, pages, headers."""
from .seed import indicator
from .session import NotTestable, check, find_items, new_id
from .wire import is_timestamp, shifted

FIRST, LAST = "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"


def _all(s, **more):
    return {**s.base, "match[version]": "all", **more}


def _key(o):
    return o.get("id"), o.get("version") or o.get("modified") or o.get("created") or ""


def _span(s, most=600):
    """Query options and the ids that they select: the seed, or what a read-only run finds at the front."""
    records = s.need_window(4)
    if not s.seed and len(records) > most:
        raise NotTestable(f"the collection is large and nothing was written: give a smaller one or let the run write")
    return [r["id"] for r in records]


@check("T37", "must", "Objects and manifest entries come in the order in which they were added.")
def t37(s):
    records = s.need_window(4)
    dates = [r.get("date_added") for r in records]
    s.must(all(is_timestamp(d) for d in dates) and dates == sorted(dates), "the manifest is not in order of date_added")
    n = min(len(records), 100)
    objects = s.objects(_all(s, limit=n)).resource().get("objects") or []
    s.must([o.get("id") for o in objects] == [r["id"] for r in records][:len(objects)] and objects, "objects come in another order than the manifest")
    if s.seed:
        order = [s.seed.v[0]["id"], *[o["id"] for o in s.seed.first[2:]], *[o["id"] for o in s.seed.bulk]]
        got = [o["id"] for o in find_items(s.pages(s.at("objects/"), {**s.base, "limit": 50, "match[version]": "first"}))]
        s.must(got == order, "objects do not come in the order in which they were written")


@check("T38", "must", "Answers to manifest, objects, object and versions tell the date of their first and last item.")
def t38(s):
    records = s.need_window(4)
    for limit in (1, 3):
        for path in (s.at("manifest/"), s.at("objects/")):
            a = s.get(path, _all(s, limit=limit))
            n = len(a.resource().get("objects") or [])
            s.must((a.header(FIRST), a.header(LAST)) == (records[0]["date_added"], records[max(n - 1, 0)]["date_added"]),
                   f"{a}: {FIRST} {a.header(FIRST)}, {LAST} {a.header(LAST)}; its items were added {records[0]['date_added']} to {records[max(n - 1, 0)]['date_added']}")
    own = [r for r in records if r["id"] == records[0]["id"]]
    for rest, options in (("", {"match[version]": "all"}), ("versions/", {})):
        a = s.object(records[0]["id"], options, rest)
        s.must(is_timestamp(a.header(FIRST)) and a.header(LAST) == own[-1]["date_added"], f"{a}: {FIRST} {a.header(FIRST)}, {LAST} {a.header(LAST)}")
    for path in ("/taxii2/", s.root, f"{s.root}collections/", s.at()):
        a = s.get(path)
        s.advice(a.header(FIRST) is None and a.header(LAST) is None, f"{a} has the date headers, which mean nothing there")


@check("T39", "advice", "An empty answer has no invented date: added_after comes back, or no header at all.")
def t39(s):
    s.need_collection()
    a = s.objects({"match[id]": new_id("indicator")})
    s.must(a.status == 200, f"{a}")
    for name in (FIRST, LAST):
        s.advice(a.header(name) is None, f"{a}: {name}: {a.header(name)} on an empty answer")
    far = "2999-01-01T00:00:00.5Z"
    for path in (s.at("objects/"), s.at("manifest/")):
        a = s.get(path, {"added_after": far})
        s.must(a.status == 200 and not a.resource().get("objects"), f"{a} is not empty")
        for name in (FIRST, LAST):
            s.advice(a.header(name) in (None, "2999-01-01T00:00:00.500000Z"), f"{a}: {name}: {a.header(name)}")


@check("T40", "must", "limit is a positive integer that is never exceeded; 0, negative, no integer and twice get 400; above the server's own limit is no error.")
def t40(s):
    s.need_window(4)
    paths = [s.at("objects/"), s.at("manifest/")]
    for path in paths:
        for limit in (1, 2, 3):
            a = s.get(path, _all(s, limit=limit))
            s.must(a.status == 200 and 0 < len(a.resource().get("objects") or []) <= limit, f"{a} with {len(a.resource().get('objects') or [])} items")
        for bad in ("0", "-1", "1.5", "abc", "", "1e2", "0x10", " 3"):
            a = s.get(path, {"limit": bad})
            s.must(a.status == 400, f"{a} for limit={bad!r}")
        a = s.get(path, [("limit", 2), ("limit", 2)])
        s.must(a.status == 400, f"{a} for two limits")
        for large in ("1000000", "99999999999999999999"):
            a = s.get(path, _all(s, limit=large))
            s.must(a.status == 200, f"{a} for limit={large}")
    if s.seed:
        few = ",".join(o["id"] for o in s.seed.plain)
        a = s.objects({"match[id]": few, "limit": 5})
        s.must(len(a.resource().get("objects") or []) == 5 and not a.resource().get("more"), "five objects in a limit of five are not all there, or more is promised")


@check("T41", "must", "more says that there is more, and only then; next comes with it.")
def t41(s):
    records = s.need_window(4)
    for path in (s.at("objects/"), s.at("manifest/")):
        a = s.get(path, _all(s, limit=2)).resource()
        s.must(a.get("more") is True, f"{path}: there is more, and more is {a.get('more')!r}")
        s.advice(isinstance(a.get("next"), str) and a["next"] != "", f"{path}: more without next")
        a = s.get(path, {"match[id]": records[0]["id"], "match[version]": "last"}).resource()
        s.must(a.get("more", False) is False, f"{path}: all is there, and more is {a.get('more')!r}")
        s.advice("next" not in a, f"{path}: next without more")
    if s.seed:
        a = s.object(s.seed.multi, {"limit": 1}, "versions/").resource()
        s.must(a.get("more") is True and len(a.get("versions") or []) == 1, "versions with limit=1 of three do not say that there is more")
        s.advice(a.get("next"), "versions: more without next")


@check("T42", "must", "Pages by next, and pages by the Last header as added_after, give everything once.")
def t42(s):
    want = _span(s)
    for path in (s.at("objects/"), s.at("manifest/")):
        for by in ("next", "added_after"):
            got = [o.get("id") for o in find_items(s.pages(path, _all(s, limit=7), by))]
            s.must(len(got) == len(set((i, n) for n, i in enumerate(got))) and sorted(got) == sorted(want),
                   f"{path} by {by}: {len(got)} items for {len(want)}; missing {len(set(want) - set(got))}, beside {len(set(got) - set(want))}")
            s.must(got == want, f"{path} by {by}: another order than in one page")
    if s.seed:
        # Which version is the last is a matter of the whole answer, not of what is left of it on a later page.
        own = s.seed.ids()
        for which in ("last", "first", "first,last"):
            options = {"match[id]": s.seed.multi, "match[version]": which}
            want = [o.get("modified") for o in s.objects(options).resource().get("objects") or []]
            got = [o.get("modified") for o in find_items(s.pages(s.at("objects/"), {**s.base, "match[version]": which, "match[type]": "indicator", "limit": 3}, enough=len(own))) if o.get("id") == s.seed.multi]
            s.must(got == want, f"match[version]={which} on pages of three gives versions {got}, in one page {want}")
        got = [v for a in s.pages(s.at(f"objects/{s.seed.multi}/versions/"), {"limit": 1}) for v in a.resource().get("versions", [])]
        s.must(len(got) == 3 and len(set(got)) == 3, f"versions by next: {got}")


@check("T43", "must", "A next that the server did not give for this is refused with 400.")
def t43(s):
    s.need_window(4)
    token = s.objects(_all(s, limit=2)).resource().get("next")
    if not token:
        raise NotTestable("there is no next (see T41)")
    changed = []
    for i in sorted({0, len(token) // 3, len(token) // 2, len(token) - 2}):
        if 0 <= i < len(token):
            changed.append(token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1:])
    for bad in [*changed, "garbage", "-1", "' OR 1=1 --", token[:-4] or "x", token + "AAAA", "%00", "\u2028"]:
        a = s.objects(_all(s, limit=2, next=bad))
        s.must(a.status == 400, f"{a.status} for a next that is {'changed' if bad in changed else 'invented'}: {bad[:30]!r}")
    a = s.get(s.at(f"objects/{s.window[0]['id']}/versions/"), {"next": token, "limit": 1})
    s.must(a.status == 400, f"{a.status} for the next of objects at versions")


@check("T44", "advice", "next stands for itself: it works with the filters repeated, in part or left out, with another limit, and again; against another filter it is refused.")
def t44(s):
    records = s.need_window(8)
    options = _all(s, limit=2, **{"match[type]": ",".join(sorted({r["id"].split("--")[0] for r in records}))})
    token = s.objects(options).resource().get("next")
    if not token:
        raise NotTestable("there is no next (see T41)")
    want = [r["id"] for r in records[2:4]]

    def ids(o):
        a = s.objects(o)
        return a.status, [x.get("id") for x in a.resource().get("objects") or []]

    for what, o in (("repeated", {**options, "next": token}), ("left out", {"next": token, "limit": 2}), ("in part", {"next": token, "limit": 2, "match[version]": "all"}), ("again", {**options, "next": token})):
        s.advice(ids(o) == (200, want), f"filters {what}: {ids(o)} instead of {want}")
    status, got = ids({"next": token, "limit": 4})
    s.advice(status == 200 and got == [r["id"] for r in records[2:6]], f"another limit: {status}, {len(got)} items")
    a = s.objects({"next": token, "limit": 2, "match[type]": "x-other"})
    s.advice(a.status == 400, f"{a.status} for next with another filter")


@check("T45", "must", "Objects deleted between two pages break no sequence.")
def t45(s):
    s.need_seed()
    four = [indicator() for _ in range(4)]
    s.add(*four)
    options = {"match[id]": ",".join(o["id"] for o in four), "limit": 2}
    token = s.objects(options).resource().get("next")
    if not token:
        raise NotTestable("there is no next (see T41)")
    for o in four:
        if s.delete(o["id"]).status != 200:
            raise NotTestable("needs the right to delete")
    a = s.objects({**options, "next": token})
    s.must(a.status == 200 and not a.resource().get("objects"), f"{a.status} with {len(a.resource().get('objects') or [])} items after all were deleted")


@check("T46", "must", "added_after is strictly later, to the microsecond; what is no timestamp or stands twice gets 400.")
def t46(s):
    records = s.need_window(4)
    at = records[1]["date_added"]
    following = next((r["date_added"] for r in records if r["date_added"] > at), None)

    def first(value):
        a = s.manifest({"added_after": value, "match[version]": "all", "limit": 1})
        return a.status, ((a.resource().get("objects") or [{}])[0]).get("date_added")

    s.must(first(at) == (200, following), f"after {at}: {first(at)} instead of {following}")
    before = shifted(at, -1)
    expected = next(r["date_added"] for r in records if r["date_added"] > before) if records[0]["date_added"] > before or s.seed else at
    s.must(first(before) == (200, expected), f"after {before}: {first(before)} instead of {expected}")
    for bad in ("yesterday", "2020-13-01T00:00:00Z", "2020-01-01", "1577836800", "", "2020-01-01T00:00:00", "2020-01-01T25:00:00Z"):
        a = s.objects({"added_after": bad})
        s.must(a.status == 400, f"{a.status} for added_after={bad!r}")
    a = s.objects([("added_after", at), ("added_after", at)])
    s.must(a.status == 400, f"{a.status} for two added_after")
    for good in ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.123456789Z", "2020-01-01T05:30:00%2B05:30", "2020-01-01T00:00:00+00:00"):
        a = s.get(s.at("objects/") + "?limit=1&added_after=" + good)
        s.advice(a.status == 200, f"{a.status} for added_after={good}")


@check("T47", "advice", "No two object versions of a collection have the same date_added, and later writes are later.")
def t47(s):
    records = s.need_window(4)
    dates = [r["date_added"] for r in records]
    s.advice(len(set(dates)) == len(dates), f"{len(dates) - len(set(dates))} of {len(dates)} dates are not unique: pages by added_after lose or repeat")
    if s.seed:
        two = [indicator(), indicator()]
        for o in two:
            s.add(o)
        a, b = [s.object(o["id"]).header(LAST) for o in two]
        s.must(dates[-1] < (a or "") < (b or ""), f"written one after the other: {dates[-1]}, {a}, {b}")
