"""T77–T82: what clients owe. R1–R12: how clients in the field ask, replayed as they do it."""
import base64

from .checks_writing import status_faults
from .seed import TIMES, indicator
from .session import NotTestable, check, find_items, new_id
from .wire import STIX, TAXII, basic, is_timestamp, shifted

for _number, _text in (("T77", "Clients use HTTPS with TLS 1.2 or later, Basic, and check the server's certificate."),
                       ("T78", "Clients parse all properties of all resources and pass over unknown ones; they may look up the SRV record."),
                       ("T79", "Clients keep envelopes within max_content_length and ask for a status while it is pending."),
                       ("T80", "Clients page with next and their original options, or by the Last header, and stop at pages that do not advance."),
                       ("T81", "Clients resolve relative API roots, and send credentials to one origin only."),
                       ("T82", "Clients bear empty lists, missing headers, other timestamps, 206, and 200 to a POST.")):
    def _run(s):
        raise NotTestable("an obligation of clients; this run looks at a server")
    check(_number, "must", _text)(_run)


def _ids(answers):
    return [o.get("id") for o in find_items(answers)]


@check("R1", "must", "OASIS taxii2-client: content types with every token of its Accept, a next with every more, an empty next, a smaller limit on page two, statuses whose lists fit their counts.")
def r1(s):
    records = s.need_window(8)
    for path in ("/taxii2/", s.root, f"{s.root}collections/", s.at(), s.at("objects/"), s.at("manifest/")):
        a = s.get(path)
        tokens = [t.strip() for t in (a.header("Content-Type") or "").split(";")]
        s.must(tokens[0] == "application/taxii+json" and "version=2.1" in tokens, f"{a}: Content-Type {a.header('Content-Type')}: the client refuses it")
    a = s.objects({**s.base, "match[version]": "all", "limit": 5})
    r = a.resource()
    s.advice(r.get("next"), "more without next: the client reads page one for ever")
    n = len(r.get("objects") or [])
    if r.get("next") and n:
        b = s.objects({**s.base, "match[version]": "all", "limit": n, "next": r["next"]})
        s.must(b.status == 200 and _ids([b]) == [x["id"] for x in records[n:2 * n]], f"page two with limit={n}: {b.status}")
    a = s.objects({**s.base, "limit": 2, "next": ""})
    s.advice(a.status == 200, f"{a.status} for an empty next")
    for a in s.statuses:
        for fault in status_faults(a.resource()):
            s.must(False, fault)


@check("R1b", "advice", "An empty answer is not two octets without charset: a library takes them for UTF-16.")
def r1b(s):
    s.need_collection()
    for path in (s.at("objects/"), s.at("manifest/")):
        a = s.get(path, {"match[id]": new_id("indicator")})
        s.advice(len(a.body) > 3 or "charset" in (a.header("Content-Type") or "").lower(), f"{a}: {a.body!r}")


@check("R2", "advice", "OpenCTI's connector: page two comes with next and limit alone, and the filters still hold.")
def r2(s):
    seed = s.need_seed()
    want = [o["id"] for o in (seed.v[0], *seed.plain, seed.odd, *seed.bulk)]
    got = _ids(s.pages(s.at("objects/"), {**s.base, "match[type]": "indicator", "match[version]": "first", "limit": 5}, drop=("added_after", "match[type]", "match[version]")))
    other = [i for i in got if not i.startswith("indicator--")]  # what came after the seed is from other checks
    s.advice(got[:len(want)] == want and not other, f"{len(got)} objects for {len(want)} or more; {len(other)} that the filters exclude")


@check("R3", "advice", "OpenCTI's ingester: an added_after that moved on beside an old next; times cut to milliseconds lose nothing.")
def r3(s):
    records = s.need_window(8)
    r = s.objects({**s.base, "match[version]": "all", "limit": 3})
    token, last = r.resource().get("next"), r.header("X-TAXII-Date-Added-Last")
    if not token or not is_timestamp(last):
        raise NotTestable("there is no next, or no Last header (see T38, T41)")
    a = s.objects({"added_after": last, "next": token, "match[version]": "all", "limit": 3})
    s.advice(a.status == 200 and _ids([a]) == [x["id"] for x in records[3:6]], f"{a.status} for added_after with an old next")
    cut = last[:-4] + "Z"
    got = _ids([s.objects({"added_after": cut, "match[version]": "all", "limit": 500})])
    missing = [x["id"] for x in records[3:] if x["id"] not in got][:1] if len(records) < 400 else []
    s.must(not missing, f"after {cut} (cut to milliseconds) an object is skipped")


@check("R4", "advice", "OpenCTI has asked with Accept: application/json, text/plain, */*.")
def r4(s):
    s.need_collection()
    for path in ("/taxii2/", s.at("objects/")):
        a = s.get(path, headers={"Accept": "application/json, text/plain, */*"})
        s.advice(a.status == 200, f"{a}")


@check("R5", "advice", "URLs without their last slash are served, queries too.")
def r5(s):
    s.need_window(1)
    for path in ("/taxii2", s.root.rstrip("/"), s.at("objects") + "?limit=1", s.at("manifest") + "?limit=1", s.at(f"objects/{s.window[0]['id']}")):
        a = s.get(path)
        s.advice(a.status in (200, 307, 308), f"{a}")


@check("R6", "must", "Microsoft Sentinel: the API root is asked first and must name the full media type; then objects with Basic or nothing.")
def r6(s):
    s.need_collection()
    a = s.get(s.root)
    s.must(TAXII in (a.resource().get("versions") or []), f"versions {a.resource().get('versions')}: Sentinel stops here")
    a = s.objects({"added_after": "2020-01-01T00:00:00.000000Z", "limit": 100})
    s.must(a.status == 200, f"{a}")


@check("R7", "advice", "Elastic: added_after left out on page two replays nothing.")
def r7(s):
    records = s.need_window(8)
    token = s.objects({**s.base, "match[version]": "all", "limit": 4}).resource().get("next")
    if not token:
        raise NotTestable("there is no next (see T41)")
    got = _ids([s.objects({"next": token, "limit": 4, "match[version]": "all"})])
    s.advice(got == [x["id"] for x in records[4:8]], f"page two without added_after begins elsewhere")


@check("R8", "advice", "MISP: its browser sends Basic with the bare key; its push fills envelopes to max_content_length.")
def r8(s):
    s.need_root()
    own = s.wire.authorization or ""
    if not own.startswith("Bearer "):
        raise NotTestable("needs a run with --token")
    a = s.get(f"{s.root}collections/", authorization="Basic " + own[7:])
    s.advice(a.status == 200, f"{a} for Authorization: Basic KEY")
    a = s.get(f"{s.root}collections/", authorization=basic("misp", own[7:]))
    s.advice(a.status == 200, f"{a} for Basic with the key as password")


@check("R9", "must", "MineMeld: the same request again and again, with an added_after that is a STIX time, is answered alike.")
def r9(s):
    s.need_window(1)
    answers = [s.objects({"added_after": TIMES[2], "limit": 5}) for _ in range(5)]
    s.must(all(a.status in (200, 429, 503) for a in answers), f"{[a.status for a in answers]}")
    good = [_ids([a]) for a in answers if a.status == 200]
    s.must(all(g == good[0] for g in good), "the same request gets different answers")


@check("R10", "advice", "python-stix2 reads page one alone: without a limit it holds at least 100.")
def r10(s):
    if len(s.need_window(1)) < 101:
        raise NotTestable("the collection shows no more than 100 object versions")
    n = len(s.objects({**s.base, "match[version]": "all"}).resource().get("objects") or [])
    s.advice(n >= 100, f"a page without limit has {n}")


@check("R11", "advice", "attackcti: pages without a limit; 429 and 503 say when to come again.")
def r11(s):
    want = [x["id"] for x in s.need_window(1)]
    if s.seed:
        got = _ids(s.pages(s.at("objects/"), {**s.base, "match[version]": "all"}, enough=len(want)))
        s.must([i for i in got if i in set(want)] == want, "pages without a limit lose or repeat")
    for a in s.wire.pauses:
        s.advice(a.header("Retry-After"), f"{a} without Retry-After")


@check("R12", "must", "SIEMs start at discovery, walk every root and every readable collection, and ask for indicators of 2.1; one failure ends their run.")
def r12(s):
    s.must(s.roots, "no API root")
    for root in s.roots:
        a = s.get(root)
        s.must(a.status == 200, f"{a}")
        a = s.get(root + "collections/")
        s.must(a.status == 200, f"{a}")
        for c in a.resource().get("collections") or []:
            if c.get("can_read") is True:
                b = s.get(f"{root}collections/{c['id']}/objects/", {"match[type]": "indicator", "match[spec_version]": "2.1", "added_after": "2020-01-01T00:00:00.000000Z", "limit": 10})
                s.must(b.status == 200, f"{b}")
                s.must(all(o.get("type") == "indicator" for o in b.resource().get("objects") or []), f"{c['id']}: other types than asked for")
