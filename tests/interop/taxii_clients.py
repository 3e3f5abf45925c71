#!/usr/bin/env python3
"""Clients that people use, as they are published, against a node: taxii2-client (OASIS), the TAXII stores of stix2, cytaxii2; and the ways of asking of
OpenCTI, MISP, Sentinel and Elastic, replayed as their sources and issues show them.

    taxii_clients.py ENTENTE

Needs tests/requirements.txt (build/venv). ENTENTE_INTEROP_OBJECTS: how many objects are paged through (default 100000).
"""
import base64, json, os, pathlib, subprocess, sys, tempfile, time, uuid, warnings

sys.dont_write_bytecode = True
ENTENTE = sys.argv[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.argv[1:] = [ENTENTE]
import crash_test as nodes  # noqa: E402  its Node

try:
    import cytaxii2.cytaxii2, requests, stix2, taxii2client.v21 as v21
except ImportError as e:
    print(f"skipped: {e.name} is not installed: run tools/setup test")
    sys.exit(77)

for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy"):  # requests puts them above what it is told
    os.environ.pop(name, None)
N = int(os.environ.get("ENTENTE_INTEROP_OBJECTS", 100_000))
USER, PASSWORD = "misp", "interop-password-1"
MEDIA = "application/taxii+json;version=2.1"
FAILED = []


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def indicator(n, modified="2026-01-01T00:00:00.000Z"):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.UUID(int=n << 4 | 5, version=4)}",
            "created": "2026-01-01T00:00:00.000Z", "modified": modified, "pattern_type": "stix", "pattern": f"[domain-name:value = 'n{n}.example']", "valid_from": "2026-01-01T00:00:00Z"}


def oasis_client(base, ca, node):
    """R1, R8: every call of taxii2-client v21."""
    server = v21.Server(f"{base}/taxii2/", user=USER, password=PASSWORD, verify=ca)
    check("taxii2-client: discovery", server.title and len(server.api_roots) == 1 and server.default is not None, server.title)
    root = server.default
    check("taxii2-client: API root", MEDIA in root.versions and root.max_content_length > 0 and root.url.endswith("/local/"), root.url)
    by_title = {c.title: c for c in root.collections}
    inbox = next(c for c in root.collections if c.alias == "inbox")
    check("taxii2-client: collections", inbox.can_read is True and inbox.can_write is True and len(by_title) == len(root.collections), by_title)
    alone = v21.Collection(inbox.url, user=USER, password=PASSWORD, verify=ca)
    check("taxii2-client: one collection by its URL", alone.title == inbox.title and alone.media_types == inbox.media_types)
    status = inbox.add_objects({"objects": [indicator(1), indicator(2)]})
    check("taxii2-client: add_objects(dict)", status.status == "complete" and status.success_count == 2 and len(status.successes) == 2, status.status)
    status = inbox.add_objects(json.dumps({"objects": [indicator(3), {"type": "indicator", "id": "indicator--broken"}]}))
    check("taxii2-client: add_objects(str), one bad", status.success_count == 1 and status.failure_count == 1 and status.failures[0].get("message"), vars(status))
    again = root.get_status(status.id)
    again.refresh()
    again.wait_until_final()
    check("taxii2-client: get_status, wait_until_final", again.status == "complete" and again.failure_count == 1 and again.total_count == 2)
    inbox.add_objects({"objects": [indicator(1, "2026-02-01T00:00:00.000Z")]})
    one = indicator(1)["id"]
    check("taxii2-client: get_object", [o["modified"] for o in inbox.get_object(one)["objects"]] == ["2026-02-01T00:00:00.000Z"])
    check("taxii2-client: get_object, version=all", len(inbox.get_object(one, version="all")["objects"]) == 2)
    check("taxii2-client: object_versions", len(inbox.object_versions(one)["versions"]) == 2)
    check("taxii2-client: get_manifest", any(r["id"] == one for r in inbox.get_manifest()["objects"]))
    check("taxii2-client: get_objects by type and id", [o["id"] for o in inbox.get_objects(type="indicator", id=one)["objects"]] == [one])
    check("taxii2-client: empty answers", inbox.get_objects(type="opinion") == {} and inbox.get_manifest(id="indicator--00000000-0000-4000-8000-00000000aaaa") == {})
    check("taxii2-client: get_objects(spec_version)", len(inbox.get_objects(spec_version="2.1", type="indicator")["objects"]) == 3)
    inbox.delete_object(indicator(2)["id"])
    try:
        inbox.get_object(indicator(2)["id"])
        check("taxii2-client: delete_object", False, "still there")
    except requests.exceptions.HTTPError as e:
        check("taxii2-client: delete_object", e.response.status_code == 404, e)
    try:
        v21.Server(f"{base}/taxii2/", user=USER, password="wrong-password-1", verify=ca).title
        check("taxii2-client: a wrong password", False, "let in")
    except requests.exceptions.HTTPError as e:
        check("taxii2-client: a wrong password", e.response.status_code == 401, e)
    return root, inbox


def fill(root, inbox, session, base):
    """R8: MISP's push: envelopes up to max_content_length, hundreds of thousands of objects."""
    start, sent = time.monotonic(), []
    for at in range(0, N, 2000):
        group = [indicator(n) for n in range(1000 + at, 1000 + min(at + 2000, N))]
        body = json.dumps({"objects": group})
        assert len(body) < root.max_content_length
        a = session.post(f"{inbox.url}objects/", data=body, headers={"Content-Type": MEDIA, "Accept": MEDIA})
        if a.status_code != 202 or a.json()["failure_count"]:
            check("MISP push", False, a.text[:300])
            return sent
        sent += [o["id"] for o in group]
    check(f"MISP push: {N:,} objects in {time.monotonic() - start:.1f} s", True)
    return sent


def pages(inbox, sent):
    for name, get, key in (("objects", inbox.get_objects, lambda o: o["id"]), ("manifest", inbox.get_manifest, lambda o: o["id"])):
        start, got = time.monotonic(), []
        for page in v21.as_pages(get, per_request=1500):
            got += [key(o) for o in page.get("objects", [])]
        mine = [i for i in got if i in set_of(sent)]
        check(f"taxii2-client: as_pages of {name}: {len(got):,} in {time.monotonic() - start:.1f} s, each once, in order", mine == sent and len(got) == len(set(got)), f"{len(mine)} of {len(sent)}")
    got = [o["id"] for page in v21.as_pages(inbox.get_objects, per_request=0) for o in page.get("objects", [])]  # attackcti (R11): no limit
    check("attackcti: as_pages without a limit", len(got) == len(set(got)) and set_of(sent) <= set(got), len(got))


def set_of(sent, kept={}):
    if id(sent) not in kept:
        kept[id(sent)] = set(sent)
    return kept[id(sent)]


def stix2_stores(inbox):
    """R10: the TAXII store of the stix2 library."""
    store = stix2.TAXIICollectionStore(inbox)
    sink, source = stix2.TAXIICollectionSink(inbox), stix2.TAXIICollectionSource(inbox)
    first = stix2.v21.Indicator(pattern="[ipv4-addr:value = '198.51.100.7']", pattern_type="stix", valid_from="2026-01-01T00:00:00Z", name="first")
    second = first.new_version(name="second")
    sink.add(first)
    sink.add([second, stix2.v21.Identity(name="someone", identity_class="system")])
    store.add(stix2.v21.Bundle(stix2.v21.Malware(name="m", is_family=False)))
    got = source.get(first.id)
    check("stix2: source.get is the last version", got.name == "second" and got.modified == second.modified, got)
    check("stix2: source.all_versions", sorted(o.name for o in source.all_versions(first.id)) == ["first", "second"])
    check("stix2: store.query by type", [o.name for o in store.query([stix2.Filter("type", "=", "malware")])] == ["m"])
    check("stix2: query by id and a filter of its own", [o.name for o in source.query([stix2.Filter("id", "=", first.id), stix2.Filter("name", "=", "second")])] == ["second"])
    check("stix2: get of nothing", source.get("indicator--00000000-0000-4000-8000-00000000bbbb") is None)


def cyware(base, ca, inbox):
    os.environ["REQUESTS_CA_BUNDLE"] = ca
    client = cytaxii2.cytaxii2.cytaxii2(f"{base}/taxii2/", USER, PASSWORD)
    check("cytaxii2: discovery", client.discovery_request()["status"] is True)
    check("cytaxii2: root (its URL as listed)", client.root_discovery()["status_code"] == 200, client.root_discovery())
    check("cytaxii2: collections", client.collection_request()["status_code"] == 200)
    check("cytaxii2: collection", client.collection_data_request(inbox.id)["response"]["id"] == inbox.id)
    r = client.poll_request(inbox.id, object_type="indicator", limit=10)
    check("cytaxii2: poll", len(r["response"]["objects"]) == 10 and r["response"]["more"] is True, r["status_code"])
    r2 = client.poll_request(inbox.id, object_type="indicator", limit=10, next=r["response"]["next"])
    check("cytaxii2: next", not {o["id"] for o in r["response"]["objects"]} & {o["id"] for o in r2["response"]["objects"]})
    r = client.inbox_request(inbox.id, json.dumps({"objects": [indicator(7)]}))
    check("cytaxii2: inbox", r["status_code"] == 202, r)
    del os.environ["REQUESTS_CA_BUNDLE"]


def replayed(base, session, inbox, sent, node):
    def get(path, headers=None, **params):
        return session.get(f"{base}{path}" if path.startswith("/") else path, params=params, headers={"Accept": MEDIA, **(headers or {})})

    objects = f"{inbox.url}objects/"
    # R2, OpenCTI's taxii2 connector: collection by title, added_after on page one only, then next and limit.
    start = get(objects, **{"limit": 1, "match[id]": sent[0]}).headers["X-TAXII-Date-Added-Last"]
    page, got = get(objects, added_after=start, limit=3000), []
    while True:
        r = page.json()
        got += [o["id"] for o in r.get("objects", [])]
        if not r.get("more"):
            break
        page = get(objects, limit=3000, next=r["next"])
    check("OpenCTI connector: next and limit alone", got[:len(sent) - 1] == sent[1:], f"{len(got)} of {len(sent) - 1}")
    # R3, its ingester: keeps x-taxii-date-added-last, and has sent an old next beside it.
    a = get(objects, added_after=start, limit=10)
    b = get(objects, added_after=a.headers["x-taxii-date-added-last"], next=a.json()["next"], limit=10)
    check("OpenCTI ingester: added_after and next together", [o["id"] for o in b.json()["objects"]] == sent[11:21], b.text[:200])
    last = get(objects, added_after="2999-01-01T00:00:00.000Z")
    check("OpenCTI ingester: an empty page has a date that can be stored", last.headers.get("x-taxii-date-added-last") == "2999-01-01T00:00:00.000000Z" and not last.json().get("objects"))
    a = get("/taxii2/", headers={"Accept": "application/json, text/plain, */*"})  # R4
    check("OpenCTI: Accept of its HTTP library", a.status_code == 200)
    for path in ("/taxii2", "/local", "/local/collections", objects.rstrip("/").replace(base, "")):  # R5
        check(f"without the last slash: {path[:40]}", get(path, limit=1).status_code == 200)
    # R6, Sentinel: root, then objects with Basic, by id of the collection.
    r = get("/local/")
    check("Sentinel: versions of the root", MEDIA in r.json()["versions"])
    check("Sentinel: poll", get(objects, added_after="2026-01-01T00:00:00.000000Z", limit=100).status_code == 200)
    # R7, Elastic: added_after dropped.
    a = get(objects, added_after=start, limit=50)
    b = get(objects, next=a.json()["next"], limit=50)
    check("Elastic: next without added_after", [o["id"] for o in b.json()["objects"]] == sent[51:101])
    # R8, MISP's TAXII browser: the bare key as Basic.
    a = requests.get(f"{base}/local/collections/", headers={"Accept": MEDIA, "Authorization": f"Basic {node.token}"}, verify=session.verify)
    check("MISP browser: Basic with the bare key", a.status_code == 200, a.status_code)
    # R9, MineMeld: the newest STIX time as added_after, again and again.
    check("MineMeld: the same request", len({get(objects, added_after="2026-01-01T00:00:00.000Z", limit=5).text[:500] for _ in range(5)}) == 1)
    # R12: SIEMs walk everything and read indicators of 2.1.
    for root in get("/taxii2/").json()["api_roots"]:
        for c in get(f"{root}collections/").json()["collections"]:
            if c["can_read"]:
                r = get(f"{root}collections/{c['id']}/objects/", **{"match[type]": "indicator", "match[spec_version]": "2.1", "limit": 100})
                check(f"SIEM walk: {c['title']}", r.status_code == 200 and all(o["type"] == "indicator" for o in r.json().get("objects", [])))


def main(tmp):
    node = nodes.Node(str(pathlib.Path(tmp) / "in"), "IN")
    try:
        node.start()
        password = pathlib.Path(tmp, "password")
        password.write_text(PASSWORD)
        nodes.run("account", "add", USER, "--role", "analyst", "--password-file", password, "--dir", node.dir)
        base, ca = f"https://127.0.0.1:{node.port}", f"{node.dir}/keys/tls.crt"
        session = requests.Session()
        session.auth, session.verify = (USER, PASSWORD), ca
        warnings.simplefilter("ignore")
        root, inbox = oasis_client(base, ca, node)
        sent = fill(root, inbox, session, base)
        pages(inbox, sent)
        stix2_stores(inbox)
        cyware(base, ca, inbox)
        replayed(base, session, inbox, sent, node)
    finally:
        if node.process and node.process.poll() is None:
            node.kill()
    print(f"{len(FAILED)} wrong" if FAILED else "all clients work")
    return 1 if FAILED else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="entente-interop-") as folder:
        sys.exit(main(folder))
