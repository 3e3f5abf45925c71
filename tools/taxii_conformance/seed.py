"""Finds the collection under test and writes what the checks look for."""
import ipaddress, json, random, uuid

from .session import NotTestable, Session, new_id
from .wire import Unreachable, is_timestamp

SCO_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # STIX 2.1 §2.9
TIMES = ["2020-01-01T00:00:00.000Z", "2020-01-02T00:00:00.000Z", "2020-01-03T00:00:00.000Z"]
BULK = 110  # so that a first page of fewer than 100 can be told (R10)


def indicator(oid=None, modified=TIMES[0], **more):
    oid = oid or new_id("indicator")
    return {"type": "indicator", "spec_version": "2.1", "id": oid, "created": TIMES[0], "modified": modified, "pattern_type": "stix",
            "pattern": f"[domain-name:value = '{oid[11:]}.example']", "valid_from": "2020-01-01T00:00:00Z", "name": "TAXII conformance run", **more}


def address():
    value = str(ipaddress.IPv6Address((0x20010DB8 << 96) | random.getrandbits(90)))
    name = json.dumps({"value": value}, separators=(",", ":"))
    return {"type": "ipv6-addr", "spec_version": "2.1", "id": f"ipv6-addr--{uuid.uuid5(SCO_NAMESPACE, name)}", "value": value}


def malware():
    return {"type": "malware", "spec_version": "2.1", "id": new_id("malware"), "created": TIMES[0], "modified": TIMES[0], "name": "TAXII conformance run", "is_family": False}


def marking():
    return {"type": "marking-definition", "spec_version": "2.1", "id": new_id("marking-definition"), "created": TIMES[1], "definition_type": "statement",
            "definition": {"statement": "TAXII conformance run"}}


class Seed:
    """What was written, in the order of writing."""

    def __init__(self):
        self.anchor = {"type": "identity", "spec_version": "2.1", "id": new_id("identity"), "created": TIMES[0], "modified": TIMES[0], "name": "TAXII conformance run",
                       "identity_class": "system"}
        self.multi = new_id("indicator")  # versions 1 and 3, then 2
        self.v = [indicator(self.multi, t) for t in TIMES]
        self.address, self.marking, self.malware = address(), marking(), malware()
        self.plain = [indicator() for _ in range(5)]
        self.link = {"type": "relationship", "spec_version": "2.1", "id": new_id("relationship"), "created": TIMES[0], "modified": TIMES[0], "relationship_type": "indicates",
                     "source_ref": self.plain[0]["id"], "target_ref": self.malware["id"]}
        # Values that a careless server changes on the way through.
        self.odd = indicator(modified="2020-01-01T00:00:00.120Z", name="naïve 漢字 \u2028 \U0001f512 / \" \\", x_conformance_number=1.5, x_conformance_big=9007199254740991,
                             x_conformance_small=0.1, x_conformance_list=[1, True, {"a": ["b", -0.25]}], x_conformance_text="<&>'\u0007")
        self.bulk = [indicator() for _ in range(BULK)]
        self.first = [self.v[0], self.v[2], self.address, self.marking, self.malware, *self.plain, self.link, self.odd]
        self.dates = {}  # (id, version) -> date_added

    def ids(self):
        return [o["id"] for o in [*self.first, *self.bulk]]


def find(s: Session):
    """Discovery, roots, collections; chooses what is tested. Says nothing about right and wrong: that is for the checks."""
    w = s.wire
    s.discovery = s.get("/taxii2/").resource()
    listed = s.discovery.get("api_roots") or []
    s.roots = [p for p in (w.origin_of(u) for u in listed if isinstance(u, str)) if p]
    candidates = [s.asked_root] if s.asked_root else s.roots
    best = None
    for root in candidates:
        root = root if root.endswith("/") else root + "/"
        answer = s.get(root + "collections/")
        found = answer.resource().get("collections") if answer.status == 200 else None
        found = [c for c in found or [] if isinstance(c, dict) and isinstance(c.get("id"), str)]
        for c in found:
            if s.asked_collection and s.asked_collection not in (c["id"], c.get("alias"), c.get("title")):
                continue
            rank = 2 * (c.get("can_read") is True) + (c.get("can_write") is True)
            if c.get("can_read") is True and (best is None or rank > best[0]):
                best = (rank, root, c, found)
        if s.root is None and (found or answer.status == 200):
            s.root, s.collections = root, found
    if best:
        _, s.root, s.collection, s.collections = best
    for o in s.others:
        o["kind"] = "stranger"
        if not s.collection:
            continue
        a = s.get(s.root + "collections/", authorization=o["authorization"])
        for c in a.resource().get("collections") or []:
            if c.get("id") == s.collection["id"]:
                r, w_ = c.get("can_read") is True, c.get("can_write") is True
                o["kind"] = {(True, True): "full", (True, False): "reader", (False, True): "writer"}.get((r, w_), "stranger")


def plant(s: Session):
    """Writes the seed; afterwards s.base selects it and s.window is what the manifest shows of it."""
    if not s.collection:
        return
    if s.read_only:
        s.no_seed = "needs to write, and the run is --read-only"
    elif s.collection.get("can_write") is not True:
        s.no_seed = "needs a collection that this credential may read and write"
    else:
        seed = Seed()
        try:
            for group in ([seed.anchor], seed.first, [seed.v[1]], seed.bulk):
                status = s.add(*group)
                if status.get("failure_count") or status.get("status") != "complete":
                    refused = status.get("failures") or [status]
                    s.no_seed = s.refused = f"the server did not take valid test objects: {json.dumps(refused, ensure_ascii=False)[:600]}"
                    break
            else:
                s.seed = seed
        except NotTestable as e:
            s.no_seed = s.refused = str(e)
    if s.seed:
        last = s.object(s.seed.anchor["id"]).header("X-TAXII-Date-Added-Last")
        if not is_timestamp(last):  # a server without the headers: its manifest says it too
            records = s.manifest({"match[id]": s.seed.anchor["id"]}).resource().get("objects") or [{}]
            last = records[0].get("date_added")
        if is_timestamp(last):
            s.base = {"added_after": last}
    seen, options = [], {**s.base, "match[version]": "all", "limit": 500}
    for _ in range(6):
        try:
            page = s.manifest(options).resource()
        except Unreachable:  # the checks will find it too, and say so
            break
        seen += [r for r in page.get("objects") or [] if isinstance(r, dict)]
        if page.get("more") is not True or not page.get("next"):
            break
        options["next"] = page["next"]
    s.window = seen
    if s.seed:
        s.seed.dates = {(r.get("id"), r.get("version")): r.get("date_added") for r in seen}
