#!/usr/bin/env python3
"""`entente taxii` against a server that does one thing wrong at a time (T77–T82, R1–R12): what can be borne is borne, nothing is lost or read twice, and
what cannot be is said. The server is the one with which the conformance suite is tested.

    taxii_cli_test.py ENTENTE
"""
import json, pathlib, subprocess, sys, tempfile, uuid

sys.dont_write_bytecode = True
ENTENTE = sys.argv[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "conformance"))
from broken_server import certificate, serve  # noqa: E402

FAILED = []
N = 23


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def indicator(n, **more):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.UUID(int=n, version=4)}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
            "pattern": "[domain-name:value = 'x.example']", "valid_from": "2026-01-01T00:00:00Z", **more}


class Server:
    def __init__(self, tmp, *faults):
        self.cert, key = str(tmp / "cert.pem"), str(tmp / "key.pem")
        self.server, self.port = serve(faults, self.cert, key)
        self.world, self.tmp = self.server.world, tmp

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def fill(self):
        for n in range(N):
            o = indicator(n)
            self.world.rows.append({"o": o, "raw": json.dumps(o), "date": self.world.date(), "version": o["modified"]})
        return [r["o"]["id"] for r in self.world.rows]

    def run(self, verb, *args, stdin="", login=True):
        (self.tmp / "token").write_text("full\n")
        more = ["--ca", self.cert] + (["--token-file", str(self.tmp / "token")] if login else [])
        return subprocess.run([ENTENTE, "-o", "json", "taxii", verb, f"https://127.0.0.1:{self.port}/taxii2/", *map(str, args), *more], input=stdin, capture_output=True, text=True, timeout=60)

    def ids(self, *args):
        r = self.run("get", "main", *args)
        return r.returncode, [json.loads(line)["id"] for line in r.stdout.splitlines()], r.stderr


def whole(tmp):
    with Server(tmp) as s:
        want = s.fill()
        r = s.run("discover")
        check("discover", r.returncode == 0 and json.loads(r.stdout)["api_roots"] == ["/api/"], r)
        r = s.run("collections")
        check("collections", r.returncode == 0 and json.loads(r.stdout)["can_write"] is True, r)
        check("get, page by page", s.ids("--limit", 5)[:2] == (0, want), s.ids("--limit", 5))
        check("get by title and by id", s.ids()[1] == want and json.loads(s.run("get", "Main", "--limit", 100).stdout.splitlines()[0])["id"] == want[0])
        r = s.run("get", "nowhere")
        check("a collection that is not there", r.returncode == 2 and "taxii collections" in r.stderr, r)
        state = tmp / "state.json"
        code, got, _ = s.ids("--state", state, "--limit", 4, "--max", 8)
        check("get --max stops after a page", code == 0 and got == want[:8], got)
        code, got, _ = s.ids("--state", state, "--limit", 5)
        check("get --state goes on by next", code == 0 and got == want[8:], got)
        check("get --state: nothing new", s.ids("--state", state)[:2] == (0, []))
        o = indicator(99)
        r = s.run("post", "main", "-", stdin=json.dumps(o))
        check("post", r.returncode == 0 and json.loads(r.stdout)["success"] == 1, r)
        status = json.loads(r.stdout)["id"]
        check("get --state: the new one", s.ids("--state", state)[:2] == (0, [o["id"]]))
        r = s.run("status", status)
        check("status", r.returncode == 0 and json.loads(r.stdout)["success"] == 1, r)
        check("status of nothing", s.run("status", "11111111-1111-4111-8111-111111111111").returncode == 2)
        r = s.run("post", "main", "-", stdin=json.dumps({"objects": [indicator(100), {"type": "indicator", "id": "x"}]}))
        check("post: one is refused", r.returncode == 1 and json.loads(r.stdout)["failure"] == 1 and json.loads(r.stdout)["failures"][0]["message"], r)
        check("delete", s.run("delete", "main", o["id"]).returncode == 0 and o["id"] not in s.ids()[1])
        check("delete again", s.run("delete", "main", o["id"]).returncode == 2)
        r = s.run("get", "main", login=False)
        check("without a login", r.returncode == 2 and "401" in r.stderr, r)
        # T79: more than max_content_length is sent in parts.
        many = [indicator(1000 + n) for n in range(1200)]
        r = s.run("post", "main", "-", stdin=json.dumps({"objects": many}))
        posts = sum(m == "POST" for m, *_ in s.world.asked)
        check("post above max_content_length goes in parts", r.returncode == 0 and json.loads(r.stdout)["success"] == 1200 and posts > 3, r.stdout)
        # A cursor that the server has forgotten: by added_after, nothing lost.
        state.write_text(json.dumps({"root": "/api/", "collection": s.world.collection["id"], "added_after": s.world.rows[2]["date"], "next": "forgotten"}))
        code, got, err = s.ids("--state", state)
        check("a forgotten cursor", code == 0 and got[:20] == want[3:] and "cursor" in err, err)
        state.write_text("{broken")
        check("a damaged state file is an error, not a new beginning", s.ids("--state", state)[:2] == (1, []))
        r = subprocess.run([ENTENTE, "taxii", "discover", f"https://127.0.0.1:{s.port}"], capture_output=True, text=True, timeout=60)
        check("T77: a certificate that nobody vouches for", r.returncode == 2 and not r.stdout, r)
        r = subprocess.run([ENTENTE, "taxii", "discover", f"https://127.0.0.1:{s.port}", "--pin", "00" * 32], capture_output=True, text=True, timeout=60)
        check("T77: another key than the pinned one", r.returncode == 2 and not r.stdout, r)


def borne(tmp):
    """Faults that a client must bear: everything comes, once."""
    for fault in ("empty_lists", "milliseconds", "plain_content_type", "undefined_on_empty", "now_on_empty", "no_title", "small_pages", "no_next", "headers_of_all", "empty_body_two", "numbers_as_ids", "next_once", "next_is_offset", "no_headers", "cut",
                  "busy", "short_versions", "no_max_length", "foreign_root", "other_default", "needs_user_agent", "no_405", "floats"):
        with Server(tmp, fault) as s:
            want = s.fill()
            if fault == "no_title":
                code, got, err = s.ids("--limit", 5, "--root", "/api/")
            else:
                code, got, err = s.ids("--limit", 5, *(["--root", "/api/"] if fault == "other_default" else []))
            if fault == "headers_of_all":
                check("headers_of_all: pages go by next, which is right", got == want, got)
                continue
            check(f"borne: {fault}", code == 0 and got == want, f"status {code}, {len(got)} of {len(want)}, {err}")
    for fault in ("created_201", "null_counts", "short_lists", "pending", "plain_content_type", "busy"):
        with Server(tmp, fault) as s:
            r = s.run("post", "main", "-", stdin=json.dumps(indicator(1)))
            check(f"borne in a post: {fault}", r.returncode == 0 and json.loads(r.stdout)["success"] == 1 and len(s.world.rows) == 1, r)
    with Server(tmp, "foreign_root") as s:
        r = s.run("discover")
        check("T81: a root elsewhere is not visited", json.loads(r.stdout)["api_roots"] == ["/api/"], r.stdout)


def said(tmp):
    """Faults that cannot be borne: an error, and what came before is kept."""
    with Server(tmp, "more_always") as s:
        want = s.fill()
        code, got, err = s.ids("--limit", 10)
        check("T80: pages that do not advance end", code == 1 and got[:N] == want and "advance" in err, (code, len(got), err))
    with Server(tmp, "no_next", "no_headers") as s:
        s.fill()
        code, got, err = s.ids("--limit", 10)
        check("T80: neither next nor header", code == 1 and "advance" in err, (code, err))
    with Server(tmp, "limit_ignored") as s:
        s.fill()
        code, got, err = s.ids("--limit", 5)
        check("T40: more than was asked for", code == 1 and "more objects" in err, (code, err))
    with Server(tmp, "twice") as s:
        s.fill()
        code, got, err = s.ids()
        check("T19: a member twice", code == 1 and not got, (code, err))
    with Server(tmp, "down") as s:
        r = s.run("get", "main", "--retries", 2)
        check("503 for ever: asked three times, then said", r.returncode == 2 and "503" in r.stderr and len(s.world.asked) == 3, (r, len(s.world.asked)))
        r = s.run("get", "main", "--retries", 0)
        check("--retries 0: asked once", r.returncode == 2 and len(s.world.asked) == 4, r)


with tempfile.TemporaryDirectory(prefix="entente-taxii-cli-") as folder:
    folder = pathlib.Path(folder)
    certificate(str(folder))
    whole(folder)
    borne(folder)
    said(folder)
print(f"{len(FAILED)} wrong" if FAILED else "all as it should be")
sys.exit(1 if FAILED else 0)
