"""T12–T24: media types, negotiation, general rules of resources. Checks over everything that came are at the end of the run (COLLECTED)."""
import json

from .seed import indicator
from .session import NotTestable, check, new_id
from .wire import STIX, TAXII, Unreachable, is_timestamp, is_uuid4, media_type, strict_json

WITHOUT_VERSION = "application/taxii+json"
# Each is a way to write one of the two media types that must do (RFC 9110 §5.6, §8.3, §12.5.1).
SPELLINGS = [TAXII, WITHOUT_VERSION, "application/taxii+json; version=2.1", "application/taxii+json ; version=2.1", 'application/taxii+json;version="2.1"', "Application/TAXII+JSON;Version=2.1",
             "application/taxii+json;version=2.1;charset=utf-8", "application/taxii+json;charset=utf-8;version=2.1"]
LISTS = ["application/taxii+json;version=2.1;q=0.5", "text/html, application/taxii+json;version=2.1", "application/taxii+json;version=2.0, application/taxii+json;version=2.1;q=0.1",
         "text/html;q=0.9,application/taxii+json;q=0.1", "application/taxii+json,,"]


@check("T12", "must", "The media type without its version parameter means the newest version that the server has.")
def t12(s):
    a = s.get("/taxii2/", headers={"Accept": WITHOUT_VERSION})
    kind, parameters = media_type(a.header("Content-Type"))
    s.must(a.status == 200 and kind == WITHOUT_VERSION, f"{a}, Content-Type {a.header('Content-Type')}")
    s.must(parameters.get("version", "") >= "2.1", f"answers version {parameters.get('version')}")


@check("T13", "must", "Every answer with a body, errors too, is application/taxii+json;version=2.1.")
def t13(s):
    s.provoke()
    for a in s.wire.seen:
        if a.body:
            s.must(a.is_taxii(), f"{a} is {a.header('Content-Type')}")


@check("T14", "must", "A POST needs a Content-Type; without one it is refused as a request, not as a fault of the server.")
def t14(s):
    s.need_collection()
    if s.collection.get("can_write") is not True or s.read_only:
        raise NotTestable("needs a collection that may be written")
    a = s.post({"objects": [indicator()]}, headers={"Accept": TAXII})
    s.must(a.status in (202, 400, 415), f"{a} without Content-Type")


@check("T15", "must", "The TAXII media type is understood with and without version, in any case, with blanks, quotes, lists and weights, as Accept and as Content-Type.")
def t15(s):
    for accept in SPELLINGS + LISTS:
        a = s.get("/taxii2/", headers={"Accept": accept})
        s.must(a.status == 200, f"{a} for Accept: {accept}")
    if s.seed:
        for kind in SPELLINGS:
            a = s.post({"objects": [s.seed.anchor]}, headers={"Accept": TAXII, "Content-Type": kind})
            s.must(a.status == 202, f"{a} for Content-Type: {kind}")


@check("T16", "advice", "No Accept, */*, application/* and application/json are taken as 2.1; 406 only if every range is for something else.")
def t16(s):
    for accept in (None, "*/*", "application/*", "application/json", "application/*;q=0.1"):
        a = s.get("/taxii2/", headers={} if accept is None else {"Accept": accept})
        s.advice(a.status == 200, f"{a} for Accept: {accept or 'absent'}")
    for accept in ("application/taxii+json;version=2.0", "application/vnd.oasis.taxii+json; version=2.0", "text/html", "application/taxii+json;version=2.1;q=0"):
        a = s.get("/taxii2/", headers={"Accept": accept})
        s.advice(a.status == 406, f"{a} for Accept: {accept}")


@check("T17", "must", "The manifest is answered for the list of TAXII and STIX media types with which the standard asks for it.")
def t17(s):
    s.need_collection()
    for accept in (f"{TAXII}, {STIX}", f"{STIX},{TAXII}"):
        a = s.manifest(headers={"Accept": accept})
        s.must(a.status == 200, f"{a} for Accept: {accept}")


@check("T18", "should", "An Accept without version is answered with the highest version, and the answer says which.")
def t18(s):
    s.need_root()
    for path in ("/taxii2/", s.root, f"{s.root}collections/"):
        a = s.get(path, headers={"Accept": WITHOUT_VERSION})
        s.should(a.status == 200 and a.is_taxii(), f"{a}, Content-Type {a.header('Content-Type')}")


@check("T19", "must", "Bodies are I-JSON: UTF-8, no member twice, numbers and texts that every reader takes alike.")
def t19(s):
    for a in s.wire.seen:
        if not a.body or "json" not in (a.header("Content-Type") or "json"):
            continue
        try:
            strict_json(a.body)
            s.must(True, "")
        except (ValueError, RecursionError) as e:
            s.must(False, f"{a}: {e}")


LISTS_OF_RESOURCES = ("api_roots", "versions", "collections", "media_types", "objects", "successes", "failures", "pendings")


@check("T20", "must", "A list without members is left out; an empty result is an empty object.")
def t20(s):
    for a in s.wire.seen:
        if a.status >= 300 or not a.body:
            continue
        r = a.resource()
        for part in [r, *[c for c in r.get("collections") or [] if isinstance(c, dict)]]:
            for name in LISTS_OF_RESOURCES:
                if name in part:
                    s.must(isinstance(part[name], list) and part[name], f"{a}: \"{name}\" is {json.dumps(part[name], default=str)[:40]}")


@check("T21", "must", "Collection and status identifiers are version-4 UUIDs.")
def t21(s):
    s.need_root()
    for c in s.collections:
        s.must(is_uuid4(c.get("id")), f"collection {c.get('id')}")
    for a in s.statuses:
        s.must(is_uuid4(a.resource().get("id")), f"status {a.resource().get('id')}")


@check("T22", "must", "Timestamps of TAXII itself are UTC with Z and exactly six digits, wherever they stand.")
def t22(s):
    for a in s.wire.seen:
        r = a.resource() if a.status < 300 else {}
        for name in ("X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"):
            if a.header(name) is not None:
                s.must(is_timestamp(a.header(name)), f"{a}: {name}: {a.header(name)}")
        if "request_timestamp" in r:
            s.must(is_timestamp(r["request_timestamp"]), f"{a}: request_timestamp {r['request_timestamp']}")
        if "/manifest" in a.path:
            for record in r.get("objects") or []:
                s.must(is_timestamp(record.get("date_added")), f"{a}: date_added {record.get('date_added')}")
    s.need_window(1)


@check("T23", "advice", "Paths end with a slash; those who leave it out are served or redirected all the same.")
def t23(s):
    s.need_collection()
    for path in ("/taxii2/", s.root, f"{s.root}collections/", s.at(), s.at("manifest/"), s.at("objects/")):
        s.must(s.get(path).status == 200, f"{path} is not answered")
        a = s.get(path[:-1])
        s.advice(a.status in (200, 301, 307, 308), f"{a}")


@check("T24", "must", "Unknown properties of an envelope are ignored, or refused with 422.")
def t24(s):
    seed = s.need_seed()
    a = s.post({"objects": [seed.anchor], "x_conformance": {"a": 1}})
    s.must(a.status in (202, 422), f"{a} for an envelope with a custom property")
    s.advice(a.status == 202, f"{a}: not ignored")


COLLECTED = ("T13", "T19", "T20", "T21", "T22")
