"""T25–T36: discovery, API roots, collections."""
import re

from .seed import indicator
from .session import NotTestable, check
from .wire import TAXII, is_uuid4, media_type


def _is_text(v):
    return isinstance(v, str) and v != ""


@check("T25", "must", "Discovery is /taxii2/ at the origin, and there is at least one API root.")
def t25(s):
    a = s.get("/taxii2/")
    s.must(a.status == 200, f"{a}")
    s.must(a.resource().get("api_roots"), "no API root for this credential")


@check("T26", "must", "Discovery has a title; default, if there, is one of api_roots, letter by letter.")
def t26(s):
    d = s.get("/taxii2/").resource()
    s.must(_is_text(d.get("title")), f"title {d.get('title')!r}")
    for name in ("description", "contact", "default"):
        s.must(name not in d or isinstance(d[name], str), f"{name} is no text")
    roots = d.get("api_roots", [])
    s.must(isinstance(roots, list) and all(isinstance(r, str) for r in roots), "api_roots is no list of texts")
    if "default" in d:
        s.must(d["default"] in roots, f"default {d['default']} is none of {roots}")


@check("T27", "must", "API roots are absolute https URLs or begin with one slash, have no query, and are unique.")
def t27(s):
    roots = s.discovery.get("api_roots") or []
    for r in roots:
        good = isinstance(r, str) and ((r.startswith("/") and not r.startswith("//")) or r.startswith("https://")) and "?" not in r and ".." not in r
        s.must(good, f"API root {r!r}")
    s.must(len(set(map(str, roots))) == len(roots), "an API root is listed twice")


@check("T28", "must", "An API root has title, versions (full media types, 2.1 among them) and max_content_length above 0.")
def t28(s):
    s.need_root()
    r = s.get(s.root).resource()
    s.must(_is_text(r.get("title")), f"title {r.get('title')!r}")
    versions = r.get("versions") if isinstance(r.get("versions"), list) else []
    s.must(TAXII in versions, f"versions {r.get('versions')}: {TAXII} is not among them")
    for v in versions:
        kind, parameters = media_type(v if isinstance(v, str) else "")
        s.must(kind.startswith("application/") and "version" in parameters, f"versions: {v!r} is no media type with version")
    n = r.get("max_content_length")
    s.must(isinstance(n, int) and not isinstance(n, bool) and n > 0, f"max_content_length {n!r}")


@check("T29", "must", "A body up to max_content_length is never refused for its size; a longer one gets 413, chunked or not.")
def t29(s):
    seed = s.need_seed()
    limit = s.get(s.root).resource().get("max_content_length")
    if not isinstance(limit, int) or limit <= 0:
        raise NotTestable("the root names no max_content_length (see T28)")
    if limit >= s.max_upload:
        raise NotTestable(f"the limit of {limit} octets is above --max-upload {s.max_upload}")
    import json
    core = json.dumps({"objects": [seed.anchor]}).encode()

    def body(size):
        return core + b" " * (size - len(core))

    for chunked in (False, True):
        a = s.post(body(limit), chunked=chunked)
        s.must(a.status == 202, f"{a} for exactly max_content_length octets{', chunked' * chunked}")
        a = s.post(body(limit + 1), chunked=chunked)
        s.must(a.status == 413, f"{a} for one octet more{', chunked' * chunked}")


@check("T30", "must", "Each API root of discovery works; a path that is none gets 404.")
def t30(s):
    s.must(s.roots, "no API root on this server is listed")
    for root in s.roots:
        a = s.get(root)
        s.must(a.status == 200, f"{a}: listed in discovery and not answered")
    a = s.get("/no-such-root-4711/")
    s.must(a.status in (404, 401, 403), f"{a}")
    a = s.get("/no-such-root-4711/collections/")
    s.must(a.status in (404, 401, 403), f"{a}")


@check("T31", "must", "Collections are listed in an order that stays; none at all is an empty object.")
def t31(s):
    s.need_root()
    lists = [[c.get("id") for c in s.get(f"{s.root}collections/").resource().get("collections") or []] for _ in range(3)]
    s.must(lists[0] == lists[1] == lists[2], "the order of collections changes")
    s.must(len(set(lists[0])) == len(lists[0]), "a collection is listed twice")


@check("T32", "must", "A collection has id, title, can_read and can_write, these two as booleans; alone it is what it is in the list.")
def t32(s):
    s.need_root()
    for c in s.collections:
        s.must(_is_text(c.get("title")), f"{c.get('id')}: title {c.get('title')!r}")
        for right in ("can_read", "can_write"):
            s.must(isinstance(c.get(right), bool), f"{c.get('id')}: {right} is {c.get(right)!r}")
        for name in ("description", "alias"):
            s.must(name not in c or isinstance(c[name], str), f"{c.get('id')}: {name} is no text")
        alone = s.get(f"{s.root}collections/{c['id']}/")
        s.must(alone.status == 200 and alone.resource() == c, f"{c.get('id')}: alone it differs from the list ({alone.status})")


@check("T33", "must", "media_types, where given, names every media type that the collection holds.")
def t33(s):
    s.need_collection()
    for c in s.collections:
        types = c.get("media_types", ["application/stix+json"])
        s.must(isinstance(types, list) and types and all(isinstance(t, str) and "/" in t for t in types), f"{c.get('id')}: media_types {types!r}")
    types = s.collection.get("media_types", ["application/stix+json"])
    for r in s.window:
        if "media_type" in r:
            s.must(r["media_type"] in types or types == ["application/stix+json"], f"the manifest names {r['media_type']}, the collection {types}")


@check("T34", "must", "An alias is unique in its root and works in the place of the id everywhere.")
def t34(s):
    s.need_collection()
    aliases = [c["alias"] for c in s.collections if c.get("alias")]
    if not s.collection.get("alias"):
        raise NotTestable("the collection has no alias")
    s.must(len(set(aliases)) == len(aliases), f"an alias stands twice: {aliases}")
    by_alias = {"id": s.collection["alias"]}
    rests = ["", "manifest/", "objects/"]
    if s.window:
        rests += [f"objects/{s.window[0]['id']}/", f"objects/{s.window[0]['id']}/versions/"]
    for rest in rests:
        a, b = s.get(s.at(rest, by_alias), {"limit": 3} if rest else ()), s.get(s.at(rest), {"limit": 3} if rest else ())
        ra, rb = a.resource(), b.resource()
        ra.pop("next", None), rb.pop("next", None)
        s.must(a.status == 200 and ra == rb, f"{a}, or it differs from the answer by id")


@check("T35", "must", "What may not be read or written answers 403 or 404.")
def t35(s):
    s.need_collection()
    oid = s.window[0]["id"] if s.window else "indicator--00000000-0000-4000-8000-000000000000"
    pairs = [(c, True) for c in s.collections] + [(s.collection, o) for o in s.others]
    for c, credential in pairs:
        authorization = credential if credential is True else credential["authorization"]
        read, write = (c.get("can_read"), c.get("can_write")) if credential is True else (credential["kind"] in ("reader", "full"), credential["kind"] in ("writer", "full"))
        if read is False:
            for rest in ("manifest/", "objects/", f"objects/{oid}/", f"objects/{oid}/versions/"):
                a = s.get(s.at(rest, c), authorization=authorization)
                s.must(a.status in (403, 404), f"{a} without the right to read")
        if write is False and not s.read_only:
            a = s.wire.ask("POST", s.at("objects/", c), {"Accept": TAXII, "Content-Type": TAXII}, b'{"objects":[]}', authorization=authorization)
            s.must(a.status in (403, 404), f"{a} without the right to write")
            import json
            a = s.wire.ask("POST", s.at("objects/", c), {"Accept": TAXII, "Content-Type": TAXII}, json.dumps({"objects": [indicator()]}).encode(), authorization=authorization)
            s.must(a.status in (403, 404), f"{a} without the right to write")


@check("T36", "must", "Collections answer their failures with 400, 401, 403, 404 and 406.")
def t36(s):
    s.need_root()
    for name in ("11111111-1111-4111-8111-111111111111", "no-such-collection", "%F0%9F%94%92", "..%2f..%2fetc"):
        a = s.get(f"{s.root}collections/{name}/")
        s.must(a.status in (400, 404), f"{a}")
        a = s.get(f"{s.root}collections/{name}/objects/")
        s.must(a.status in (400, 404), f"{a}")
    a = s.get(f"{s.root}collections/", headers={"Accept": "text/html"})
    s.advice(a.status == 406, f"{a} for Accept: text/html")
