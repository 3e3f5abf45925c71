"""A small TAXII 2.1 server that does everything right, and one thing wrong for each fault that it is told to have. The conformance suite is tested on
it: without faults nothing may fail; with a fault the numbers that FAULTS names must.

It is written from the checklist, apart from entente, and keeps everything in memory.
"""
import base64, datetime, http.server, json, os, re, ssl, subprocess, threading, urllib.parse, uuid
from decimal import Decimal

TAXII = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version=2.1"
LIMIT = 200_000  # max_content_length
PAGE, MOST = 250, 500

# fault -> numbers that must fail
FAULTS = {
    "plain_content_type": ["T13", "T18", "R1"], "html_errors": ["T13", "T74"], "no_challenge": ["T5"], "any_password": ["T5"], "other_text_for_hidden": ["T6"], "no_405": ["T10"], "no_allow": ["T10"],
    "needs_user_agent": ["T9"], "needs_version": ["T12", "T15"], "accept_as_text": ["T15"], "strict_accept": ["T16", "R4"], "no_stix_accept": ["T17"], "content_type_as_text": ["T15"], "any_content_type": ["T67"],
    "byte_order_mark": ["T19"], "twice": ["T19"], "empty_lists": ["T20"], "empty_body_two": ["R1b"], "numbers_as_ids": ["T21"], "milliseconds": ["T22"], "needs_slash": ["T23", "R5"], "strict_envelope": ["T24"],
    "no_title": ["T26"], "other_default": ["T26"], "two_slashes": ["T27"], "short_versions": ["T28", "R6"], "no_max_length": ["T28"], "no_413": ["T29"], "small_413": ["T29"], "chunked_unlimited": ["T29"],
    "dead_root": ["T30", "R12"], "shuffled": ["T31"], "rights_null": ["T32"], "collection_differs": ["T32"], "wrong_media_type": ["T33", "T58"], "no_alias": ["T34"], "all_may_write": ["T35"], "unknown_is_500": ["T36"],
    "newest_first": ["T37"], "no_headers": ["T38"], "headers_of_all": ["T38", "T42"], "now_on_empty": ["T39"], "undefined_on_empty": ["T39", "T22"], "limit_ignored": ["T40"], "limit_zero": ["T40"],
    "more_always": ["T41"], "more_never": ["T41", "T42"], "no_next": ["T41", "R1"], "last_item_lost": ["T42"], "unlimited_loses": ["R11"], "next_is_offset": ["T43"], "next_forgets": ["T44", "R2"], "next_is_number": ["R7", "T43"], "next_once": ["T44"], "empty_page_400": ["T45"],
    "inclusive": ["T42", "T46"], "any_added_after": ["T46"], "one_date": ["T47", "T42"], "bad_match": ["T48"], "or_fields": ["T48"], "unknown_match_400": ["T49"], "no_filters_on_object": ["T50"], "type_error": ["T51"], "spec_ignored": ["T50", "T52"],
    "all_and_more": ["T53"], "version_text": ["T54"], "last_by_date": ["T55"], "version_1970": ["T56"], "manifest_unfiltered": ["T57"], "no_record_version": ["T58"], "versions_last": ["T59"], "unknown_empty": ["T60"], "bundle": ["T61"],
    "created_201": ["T62", "T15"], "null_counts": ["T63", "R1"], "short_lists": ["T63", "R1"], "status_changes": ["T64"], "duplicate_error": ["T65"], "duplicate_moves": ["T65"], "overwrite": ["T66"], "sinks_all": ["T67", "T63"], "takes_anything": ["T67"],
    "floats": ["T68"], "times_rewritten": ["T68"], "forgets_status": ["T69"], "shows_status": ["T69"], "anyone_deletes": ["T70"], "deletes_all": ["T71"], "deletes_nothing": ["T72", "T71"], "delete_talks": ["T73"], "number_status": ["T74"], "traceback": ["T75"],
    "slow": ["T76"], "empty_next_400": ["R1"], "stale_next_400": ["R3"], "small_pages": ["R10"], "no_bare_key": ["R8"], "random_answers": ["R9"],
}


def instant(text):
    m = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", text)
    if not m:
        raise ValueError(text)
    t = datetime.datetime.fromisoformat(f"{m[1]}T{m[2]}+00:00")
    if m[4] != "Z":
        t -= datetime.timedelta(hours=int(m[4][1:3]), minutes=int(m[4][4:])) * (1 if m[4][0] == "+" else -1)
    return t, Decimal("0." + (m[3] or "0"))


class Refuse(Exception):
    def __init__(self, status, title, headers=()):
        self.status, self.title, self.headers = status, title, dict(headers)


class World:
    """What the server knows."""

    def __init__(self, faults):
        self.faults = set(faults)
        self.lock = threading.RLock()
        self.collection = {"id": "3c5aa1a1-8b1c-4d2a-9d55-0a1b2c3d4e5f", "alias": "main", "title": "Main"}
        self.rows = []  # {"o": object, "date": text, "version": text}
        self.statuses, self.used = {}, set()
        self.people = {"full": (True, True), "reader": (True, False), "stranger": (False, False)}
        self.last = datetime.datetime(2026, 1, 1)
        self.n = 0
        self.asked = []  # (method, path, Authorization)

    def has(self, fault):
        return fault in self.faults

    def date(self):
        self.last += datetime.timedelta(microseconds=137)
        return self.last.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1  # one segment for head and body
    world: World

    def log_message(self, *_):
        pass

    def answer(self, status, value=None, headers=()):
        w = self.world
        body = b"" if value is None else (b"{  }\n" if value == {} and not w.has("empty_body_two") else json.dumps(value, default=float).encode())
        kind = TAXII
        if value is not None and status >= 400 and w.has("html_errors"):
            body, kind = b"<html>error</html>", "text/html"
        if status < 300 and body:
            if w.has("byte_order_mark"):
                body = b"\xef\xbb\xbf" + body
            if w.has("twice") and body.startswith(b'{"'):
                body = b'{"x_a":1,"x_a":2,' + body[1:]
        if w.has("plain_content_type"):
            kind = "application/json"
        self.send_response(status)
        for name, text in dict(headers).items():
            self.send_header(name, text)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def body(self):
        w = self.world
        limit = 10**9 if w.has("no_413") else LIMIT // 2 if w.has("small_413") else LIMIT
        out = b""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while True:
                n = int(self.rfile.readline(), 16)
                out += self.rfile.read(n)
                self.rfile.readline()
                if n == 0:
                    break
            if w.has("chunked_unlimited"):
                return out
        else:
            out = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if len(out) > limit:
            raise Refuse(413, "Too large")
        return out

    def go(self):
        w = self.world
        try:
            body = self.body()
            w.asked.append((self.command, self.path, self.headers.get("Authorization")))
            if w.has("cut") and len(w.asked) % 4 == 3 and self.command == "GET":  # for tests of clients
                self.close_connection = True
                return
            if w.has("busy") and len(w.asked) % 3 == 2:
                raise Refuse(429, "Too many", {"Retry-After": "0"})
            if w.has("down"):
                raise Refuse(503, "Down", {"Retry-After": "0"})
            with w.lock:
                status, value, *headers = self.route(body)
            self.answer(status, value, headers[0] if headers else ())
        except Refuse as r:
            value = {"title": r.title, "http_status": r.status if w.has("number_status") else str(r.status)}
            if w.has("traceback"):
                value["description"] = "Traceback (most recent call last): ..."
            self.answer(r.status, value, r.headers)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = go

    def who(self):
        w, text = self.world, self.headers.get("Authorization", "")
        scheme, _, rest = text.partition(" ")
        if w.has("any_password") and text:
            return "full"
        if scheme == "Bearer" and rest in w.people:
            return rest
        if scheme == "Basic":
            if rest in w.people and not w.has("no_bare_key"):
                return rest
            try:
                password = base64.b64decode(rest, validate=True).decode().partition(":")[2]
            except ValueError:
                password = ""
            if password in w.people:
                return password
        raise Refuse(401, "Not authenticated", {} if w.has("no_challenge") else {"WWW-Authenticate": 'Basic realm="t"'})

    def acceptable(self, manifest):
        w, text = self.world, self.headers.get("Accept")
        if w.has("accept_as_text") and text not in (TAXII, "application/taxii+json", None, "*/*"):
            raise Refuse(406, "Not acceptable")
        if text is None or w.has("no_stix_accept") and manifest and "stix" in text:
            if w.has("strict_accept") or text is not None:
                raise Refuse(406, "Not acceptable")
            return
        for part in text.split(","):
            kind, *parameters = [p.strip().lower() for p in part.split(";")]
            pairs = dict(([x.strip().strip('"') for x in p.split("=", 1)] + [""])[:2] for p in parameters)
            if pairs.get("q") == "0":
                continue
            loose = kind in ("*/*", "application/*", "application/json") and not w.has("strict_accept")
            if loose or kind == "application/taxii+json" and pairs.get("version", "" if w.has("needs_version") else "2.1") == "2.1":
                return
        raise Refuse(406, "Not acceptable")

    def route(self, body):
        w = self.world
        path, _, text = self.path.partition("?")
        caller = self.who()
        if w.has("needs_user_agent") and not self.headers.get("User-Agent"):
            raise Refuse(400, "No User-Agent")
        if not path.endswith("/"):
            if w.has("needs_slash"):
                raise Refuse(404, "Not found")
            path += "/"
        try:
            parts = [urllib.parse.unquote(p, errors="strict") for p in path.split("/")[1:-1]]
            if re.search("%(?![0-9a-fA-F]{2})", text):
                raise ValueError("escape")
            pairs = urllib.parse.parse_qsl(text.replace("+", "%2B"), keep_blank_values=True, errors="strict")
        except ValueError:
            raise Refuse(400, "Bad request") from None
        methods, run = self.find(parts)
        if self.command not in methods:
            if w.has("no_405"):
                raise Refuse(404, "Not found")
            raise Refuse(405, "Method not allowed", {} if w.has("no_allow") else {"Allow": ", ".join(methods)})
        self.acceptable("manifest" in parts)
        return run(caller, pairs, body)

    def find(self, p):
        w = self.world
        if p == ["taxii2"]:
            return ["GET"], lambda *a: (200, self.discovery())
        if not p or p[0] != "api":
            raise Refuse(404, "Not found")
        if len(p) == 1:
            versions = ["2.1"] if w.has("short_versions") else [TAXII]
            return ["GET"], lambda *a: (200, {"title": "Root", "versions": versions, **({} if w.has("no_max_length") else {"max_content_length": LIMIT})})
        if p[1] == "status" and len(p) == 3:
            return ["GET"], lambda caller, *a: self.status(caller, p[2])
        if p[1] != "collections":
            raise Refuse(404, "Not found")
        if len(p) == 2:
            return ["GET"], self.collections
        run = {(3, ""): (["GET"], lambda c, q, b: (200, self.shown(c, alone=True))), (4, "manifest"): (["GET"], lambda c, q, b: self.read(c, q, "manifest")),
               (5, "objects"): (["GET", "DELETE"], lambda c, q, b: self.read(c, q, "object", p[4]) if self.command == "GET" else self.delete(c, q, p[4])),
               (6, "versions"): (["GET"], lambda c, q, b: self.read(c, q, "versions", p[4])),
               (4, "objects"): (["GET", "POST"], lambda c, q, b: self.read(c, q, "objects") if self.command == "GET" else self.add(c, b))}
        key = (len(p), "" if len(p) == 3 else p[5] if len(p) == 6 else p[3])
        if key not in run:
            raise Refuse(404, "Not found")
        methods, act = run[key]

        def inside(caller, pairs, body):
            if w.has("unknown_is_500") and p[2] not in (w.collection["id"], "main"):
                raise Refuse(500, "Oops")
            known = p[2] == w.collection["id"] or (p[2] == "main" and not w.has("no_alias"))
            if caller == "stranger" and known and w.has("other_text_for_hidden"):
                raise Refuse(403, "You may not see this collection")
            if not known or caller == "stranger":
                raise Refuse(404, "Not found")
            return act(caller, pairs, body)
        return methods, inside

    def discovery(self):
        w = self.world
        root = "//api/" if w.has("two_slashes") else "/api/"
        d = {"title": "Reference", "default": "/other/" if w.has("other_default") else root, "api_roots": [root]}
        if w.has("foreign_root"):
            d["api_roots"] += ["https://127.0.0.1:9/elsewhere/", "//127.0.0.1:9/x/"]
        if w.has("dead_root"):
            d["api_roots"].append("/beta/")
        if w.has("no_title"):
            del d["title"]
        return d

    def shown(self, caller, alone=False):
        w = self.world
        r, a = w.people[caller]
        c = {**w.collection, "can_read": r, "can_write": a, "media_types": ["application/vnd.x"] if w.has("wrong_media_type") else [STIX]}
        if w.has("numbers_as_ids"):
            w.collection["id"] = c["id"] = "4711"
        if w.has("rights_null"):
            c["can_read"], c["description"] = 1, None
        if alone and w.has("collection_differs"):
            c["title"] = "Another"
        return c

    def collections(self, caller, *_):
        w = self.world
        if caller == "stranger":
            return 200, {"collections": []} if w.has("empty_lists") else {}
        out = [self.shown(caller)]
        if w.has("shuffled"):
            w.n += 1
            out = [*out, {**out[0], "id": str(uuid.uuid4()), "alias": f"x{w.n}"}]
        return 200, {"collections": out}

    def options(self, pairs, where):
        """Checked filters (T48, T50)."""
        w, out = self.world, {}
        known = {"objects": "added_after limit next match[id] match[type] match[version] match[spec_version]", "object": "added_after limit next match[version] match[spec_version]",
                 "versions": "added_after limit next match[spec_version]", "delete": "match[version] match[spec_version]"}["objects" if where == "manifest" else where].split()
        for name, value in pairs:
            if name not in known:
                if w.has("unknown_match_400"):
                    raise Refuse(400, f"Unknown parameter {name}")
                continue
            if name in out and not w.has("bad_match"):
                raise Refuse(400, f"{name} twice")
            if name.startswith("match") and any(v == "" or v != v.strip() for v in value.split(",")) and not w.has("bad_match"):
                raise Refuse(400, f"{name} is empty")
            out[name] = value
        if "limit" in out and not re.fullmatch("0*[1-9][0-9]*", out["limit"]) and not (w.has("limit_zero") and out["limit"] == "0"):
            raise Refuse(400, "limit")
        if "added_after" in out:
            text = out["added_after"].replace(" ", "+")
            try:
                out["added_after"] = instant(text)
            except ValueError:
                if not w.has("any_added_after"):
                    raise Refuse(400, "added_after") from None
                del out["added_after"]
        if "match[version]" in out:
            values = out["match[version]"].split(",")
            seen = []
            for v in values:
                try:
                    seen.append(v if v in ("first", "last", "all") else instant(v))
                except ValueError:
                    raise Refuse(400, "match[version]") from None
            if (len(set(seen)) < len(seen) or "all" in seen and len(seen) > 1) and not w.has("all_and_more"):
                raise Refuse(400, "match[version]")
        return out

    def select(self, o, where, oid=None):
        w = self.world
        rows = [r for r in w.rows if oid is None or r["o"]["id"] == oid]
        if where == "object" and w.has("no_filters_on_object"):
            return rows[-1:]
        if where == "manifest" and w.has("manifest_unfiltered"):
            o = {k: v for k, v in o.items() if k != "match[type]"}
        if o.get("match[type]") in ("opinion", "grouping") and w.has("type_error"):
            raise Refuse(400, "type")
        if w.has("or_fields") and {"match[id]", "match[type]"} <= set(o):
            return [r for r in rows if r["o"]["id"] in o["match[id]"].split(",") or r["o"]["type"] in o["match[type]"].split(",")]
        if "match[id]" in o:
            rows = [r for r in rows if r["o"]["id"] in o["match[id]"].split(",")]
        if "match[type]" in o:
            rows = [r for r in rows if r["o"]["type"] in o["match[type]"].split(",")]
        if "match[spec_version]" in o and not w.has("spec_ignored"):
            rows = [r for r in rows if r["o"].get("spec_version", "2.1") in o["match[spec_version]"].split(",")]
        if "added_after" in o:
            rows = [r for r in rows if instant(r["date"]) > o["added_after"] or w.has("inclusive") and instant(r["date"]) == o["added_after"]]
        values = o.get("match[version]", "all" if where == "versions" and not w.has("versions_last") else "last").split(",")
        if "all" in values:
            return rows

        def key(r):
            return instant(r["date"]) if w.has("last_by_date") else instant(r["version"])

        by, keep = {}, set()
        for i, r in enumerate(rows):
            by.setdefault(r["o"]["id"], []).append((key(r), i))
        for own in by.values():
            if "last" in values:
                keep.add(max(own)[1])
            if "first" in values:
                keep.add(min(own)[1])
        exact = [v for v in values if v not in ("first", "last")]
        for i, r in enumerate(rows):
            if (r["version"] in exact) if w.has("version_text") else any(instant(r["version"]) == instant(v) for v in exact):
                keep.add(i)
        return [r for i, r in enumerate(rows) if i in keep]

    def read(self, caller, pairs, where, oid=None):
        w = self.world
        o = self.options(pairs, where)
        if oid is not None and not any(r["o"]["id"] == oid for r in w.rows):
            if w.has("unknown_empty"):
                return 200, {}
            raise Refuse(404, "Not found")
        raw = dict(pairs)
        token = o.pop("next", None)
        if token == "" and w.has("empty_next_400"):
            raise Refuse(400, "next")
        if token and w.has("next_is_number") and not token.isdigit():
            token = None
        place = f"{where} {oid}"
        first = {k: v for k, v in raw.items() if k not in ("limit", "next")}
        after = None
        if token and not w.has("next_is_number"):
            after, first = self.open(token, place, first, o)
            o = {**(o if w.has("next_forgets") else self.options(list(first.items()), where)), **({"limit": o["limit"]} if "limit" in o else {})}
        rows = self.select(o, where, oid)
        whole = rows
        if after is not None:
            rows = [r for r in rows if r["date"] > after]
            if w.has("empty_page_400") and not rows:
                raise Refuse(400, "next")
        if w.has("newest_first"):
            rows = rows[::-1]
        n = min(int(o.get("limit", 50 if w.has("small_pages") else PAGE)), MOST)
        if w.has("limit_ignored"):
            n = PAGE
        if w.has("random_answers"):
            w.n += 1
            rows = rows[w.n % 2:]
        start = int(token) if token and w.has("next_is_number") else 0
        rows = rows[start:]
        page, more = rows[:n], len(rows) > n
        if w.has("unlimited_loses") and "limit" not in o:
            page = page[:-1]
        if w.has("last_item_lost") and more:
            page = page[:-1] or page
        out = {}
        if (more or w.has("more_always")) and not w.has("more_never"):
            out["more"] = True
            if not w.has("no_next"):
                out["next"] = str(start + n) if w.has("next_is_number") else self.seal(rows[n - 1]["date"] if more else "2999-01-01T00:00:00.000000Z", place, first)
        name = "versions" if where == "versions" else "objects"
        items = [self.item(r, where) for r in page]
        if items or w.has("empty_lists"):
            out[name] = items
        if where == "objects" and w.has("bundle"):
            out = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", **out}
        if w.has("slow") and len(raw.get("match[id]", "")) > 5000:
            import time
            time.sleep(11)
        headers = {}
        if page and not w.has("no_headers"):
            edge = whole if w.has("headers_of_all") else page
            headers = {"X-TAXII-Date-Added-First": edge[0]["date"], "X-TAXII-Date-Added-Last": edge[-1]["date"]}
        elif w.has("now_on_empty"):
            headers = {"X-TAXII-Date-Added-First": "2027-01-01T00:00:00.000000Z", "X-TAXII-Date-Added-Last": "2027-01-01T00:00:00.000000Z"}
        elif not page and w.has("undefined_on_empty"):
            headers = {"X-TAXII-Date-Added-First": "undefined", "X-TAXII-Date-Added-Last": "undefined"}
        return 200, out, headers

    def seal(self, date, place, first):
        if self.world.has("next_is_offset"):
            return date
        text = json.dumps([date, place, first])
        return base64.urlsafe_b64encode((str(uuid.uuid5(uuid.NAMESPACE_OID, "secret" + text)) + text).encode()).decode().rstrip("=")

    def open(self, token, place, given, o):
        w = self.world
        if w.has("next_is_offset"):
            return token, given
        try:
            text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
            if base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") != token or str(uuid.uuid5(uuid.NAMESPACE_OID, "secret" + text[36:])) != text[:36]:
                raise ValueError
            date, where, first = json.loads(text[36:])
        except ValueError:
            raise Refuse(400, "next") from None
        if where != place:
            raise Refuse(400, "next")
        if w.has("next_once"):
            if token in w.used:
                raise Refuse(400, "next")
            w.used.add(token)
        if w.has("next_forgets"):
            return date, given
        for k, v in given.items():
            if k == "added_after" and "added_after" in o and not w.has("stale_next_400"):
                if o["added_after"] > instant(date):
                    first = {**first, k: v}
            elif first.get(k) != v and k.startswith(("match", "added")):
                raise Refuse(400, "next belongs to another query")
        return date, first

    def item(self, r, where):
        w = self.world
        if where == "versions":
            return r["version"]
        if where == "manifest":
            out = {"id": r["o"]["id"], "date_added": r["date"], "version": r["version"], "media_type": STIX}
            if w.has("milliseconds"):
                out["date_added"] = r["date"][:-4] + "Z"
            if w.has("no_record_version"):
                del out["version"]
            return out
        o = json.loads(r["raw"], parse_float=str if w.has("floats") else Decimal)
        if w.has("times_rewritten") and "modified" in o:
            o["modified"] = o["modified"].replace(".120Z", ".12Z")
        return o

    def add(self, caller, body):
        w = self.world
        if not w.people[caller][1] and not w.has("all_may_write"):
            raise Refuse(403, "Not permitted")
        kind = self.headers.get("Content-Type", "")
        if w.has("content_type_as_text") and kind != TAXII:
            raise Refuse(415, "Content-Type")
        if "taxii+json" not in kind.lower() and not w.has("any_content_type"):
            raise Refuse(415, "Content-Type")
        try:
            e = json.loads(body, parse_float=Decimal)
            if not isinstance(e, dict) or e.get("type") == "bundle" or not isinstance(e.get("objects"), list):
                raise ValueError
        except (ValueError, RecursionError):
            if w.has("takes_anything"):
                e = {"objects": []}
            else:
                raise Refuse(422, "Not an envelope") from None
        if w.has("strict_envelope") and set(e) - {"objects", "more", "next"}:
            raise Refuse(400, "Unknown property")
        good, bad, date = [], [], w.date()
        for o in e["objects"]:
            fault = self.fault(o)
            if fault and w.has("sinks_all"):
                raise Refuse(422, fault)
            if not fault:
                version = o.get("modified") or o.get("created") or (date if w.has("one_date") else w.date())
                fault = self.store(o, "1970-01-01T00:00:00.000000Z" if w.has("version_1970") and "created" not in o else version, date if w.has("one_date") else version if "created" not in o else w.date())
            d = {"id": str(o.get("id", "")) if isinstance(o, dict) else "", "version": str(o.get("modified", date)) if isinstance(o, dict) else date}
            (bad if fault else good).append({**d, "message": fault} if fault else d)
        s = {"id": str(uuid.uuid4()), "status": "complete", "request_timestamp": date, "total_count": len(good) + len(bad), "success_count": len(good), "failure_count": len(bad), "pending_count": 0}
        if good:
            s["successes"] = good[:-1] + [{}] if w.has("short_lists") else good
        if bad:
            s["failures"] = bad
        if w.has("pending"):
            w.statuses[s["id"]] = (caller, s)
            return 202, {"id": s["id"], "status": "pending", "total_count": s["total_count"], "success_count": 0, "failure_count": 0, "pending_count": s["total_count"]}
        if w.has("null_counts"):
            s["pending_count"] = None
        if not w.has("forgets_status"):
            w.statuses[s["id"]] = (caller, s)
        return 201 if w.has("created_201") else 202, s

    @staticmethod
    def fault(o):
        if not isinstance(o, dict) or not isinstance(o.get("type"), str) or not str(o.get("id", "")).startswith(o["type"] + "--"):
            return "no STIX object"
        for name in ("created", "modified", "valid_from"):
            try:
                name in o and instant(o[name])
            except (ValueError, TypeError):
                return f"{name} is no timestamp"
        return "pattern_type is no text" if not isinstance(o.get("pattern_type", ""), str) else None

    def store(self, o, version, date):
        w, raw = self.world, json.dumps(o, default=str if w_has(self, "floats") else float)
        for r in w.rows:
            if r["o"]["id"] == o["id"] and ("modified" not in o and "created" not in o or instant(r["version"]) == instant(version)):
                if r["o"] == o:
                    if w.has("duplicate_moves"):
                        w.rows.remove(r)
                        w.rows.append({**r, "date": w.date()})
                    return "duplicate" if w.has("duplicate_error") else None
                if w.has("overwrite"):
                    r["o"], r["raw"] = o, raw
                    return None
                return "another object has this id and version"
        w.rows.append({"o": o, "raw": raw, "date": date, "version": version})
        return None

    def status(self, caller, sid):
        w = self.world
        if sid not in w.statuses or w.statuses[sid][0] != caller and not w.has("shows_status"):
            raise Refuse(404, "Not found")
        s = w.statuses[sid][1]
        if w.has("status_changes"):
            s["total_count"] += 1
        return 200, s

    def delete(self, caller, pairs, oid):
        w = self.world
        if w.people[caller] != (True, True) and not w.has("anyone_deletes"):
            raise Refuse(403, "Not permitted")
        o = self.options(pairs, "delete")
        if not any(r["o"]["id"] == oid for r in w.rows):
            raise Refuse(404, "Not found")
        gone = [r for r in w.rows if r["o"]["id"] == oid] if w.has("deletes_all") else self.select(o, "delete", oid)
        if not w.has("deletes_nothing"):
            w.rows = [r for r in w.rows if not any(r is g for g in gone)]
        return 200, {"deleted": len(gone)} if w.has("delete_talks") else None


def w_has(handler, fault):
    return handler.world.has(fault)


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


def certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def serve(faults, cert, key):
    """(server, port); runs on a thread of its own. server.world is what it knows."""
    handler = type("Bound", (Handler,), {"world": World(faults)})
    server = Quiet(("127.0.0.1", 0), handler)
    server.world = handler.world
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server, server.server_address[1]
