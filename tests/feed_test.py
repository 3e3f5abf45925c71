#!/usr/bin/env python3
"""Feeds (`entente peer add --taxii`): a real second node, and a server that does one thing wrong at a time (T80-T82, R1-R12), as sources of one node.
Everything comes once, also over a kill -9; what is refused is listed with its reason; defaults are written only where the source said nothing.

    feed_test.py ENTENTE
"""
import json, os, pathlib, subprocess, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
ENTENTE = sys.argv[1]
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "conformance")]
sys.argv[1:] = [ENTENTE]
import crash_test as nodes  # noqa: E402  Node
from broken_server import certificate, serve  # noqa: E402

FAILED = []
N = 23
AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def indicator(n, **more):
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.UUID(int=n << 8 | 7, version=4)}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            "pattern_type": "stix", "pattern": f"[domain-name:value = 'n{n}.example']", "valid_from": "2026-01-01T00:00:00Z", **more}


def post(node, objects):
    return node.ask(node.connect(), "POST", f"/local/collections/{node.collection('inbox')}/objects/", json.dumps({"objects": objects}))


def inbox(node):
    page = node.ask(node.connect(), "GET", f"/local/collections/{node.collection('inbox')}/objects/?limit=10000")
    return {o["id"]: o for o in page.get("objects", [])}


def entente(*args, **more):
    return subprocess.run([ENTENTE, *map(str, args)], capture_output=True, text=True, timeout=120, **more)


def api(node, method, path, body=None):
    """(status, answer) of the node's own API."""
    connection = node.connect()
    connection.request(method, path, body and json.dumps(body), {"Authorization": f"Bearer {node.token}"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or b"null")


def feed(node, name):
    return api(node, "GET", f"/api/v1/feeds/{name}")[1]


def until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    check(what, False, f"not within {seconds} s")
    return False


def second_node(tmp, me, source):
    password = tmp / "password"
    password.write_text("feed-password-4711\n")
    nodes.run("account", "add", "reader", "--role", "auditor", "--password-file", password, "--dir", source.dir)
    url, ca = f"https://127.0.0.1:{source.port}/taxii2/", f"{source.dir}/keys/tls.crt"
    red = indicator(3, object_marking_refs=["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"], confidence=90)
    post(source, [indicator(1), indicator(2), red])
    identity = json.loads(nodes.run("-o", "json", "node", "status", "--dir", me.dir))["identity"]
    post(source, [indicator(4, created_by_ref=identity)])
    mine = indicator(5)
    post(me, [mine])
    post(source, [indicator(5, modified="2026-02-01T00:00:00.000Z", revoked=True)])
    # Wrong things are said before anything is kept.
    base = ["peer", "add", "--taxii", url, "--dir", me.dir, "--server-ca", ca, "--every", "1", "--page", "2", "--user", "reader", "--password-file", password]
    (tmp / "wrong").write_text("not-the-password\n")
    r = entente(*base[:-1], tmp / "wrong", "--name", "second", "--collection", "inbox")
    check("a wrong password is seen when the feed is added", r.returncode == 2 and "401" in r.stderr, r)
    r = entente(*base, "--name", "second", "--collection", "nowhere")
    check("a collection that is not there, with those that are", r.returncode == 2 and "inbox" in r.stderr or "Own content" in r.stderr, r)
    r = entente(*base, "--name", "IN", "--collection", "inbox")
    check("a feed is not called like a party", r.returncode != 0, r)
    r = entente(*base, "--name", "second", "--collection", "inbox", "--tlp", "purple")
    check("a TLP that there is not", r.returncode != 0 and "purple" in r.stderr, r)
    nodes.run(*base, "--name", "second", "--collection", "inbox", "--tlp", "amber", "--confidence", "35")
    secret = pathlib.Path(me.dir, "feeds", "second.secret")
    check("the secret is a file 0600 in DIR/feeds", secret.stat().st_mode & 0o777 == 0o600 and secret.read_text() == "feed-password-4711\n")
    until("the first pull", lambda: feed(me, "second").get("last_pull"))
    got, state = inbox(me), feed(me, "second")
    check("what came", {indicator(n)["id"] for n in (1, 2, 3, 5)} <= set(got) and indicator(4)["id"] not in got, list(got))
    check("counts", (state["taken"], state["refused"], state["marked"], state["last_error"]) == (4, 2, 2, ""), state)  # with the identity of the other party, which is marked
    one, three = got[indicator(1)["id"]], got[indicator(3)["id"]]
    check("defaults, in the open", one["object_marking_refs"] == [AMBER] and one["confidence"] == 35, one)
    check("what the source says is never replaced", three == red, three)
    check("a feed revokes nothing that others brought", got[mine["id"]] == mine, got[mine["id"]])
    why = {r["id"]: r["why"] for r in state["refusals"]}
    check("each refused object is listed with its reason", "elsewhere" in why.get(mine["id"], "") and "this party" in why.get(indicator(4)["id"], ""), why)
    shown = nodes.run("peer", "status", "second", "--dir", me.dir)
    check("peer status shows them to people", mine["id"] in shown and "elsewhere" in shown, shown)
    check("peer list", "second" in nodes.run("peer", "list", "--dir", me.dir))
    # What the source changes comes; what it revokes of its own is revoked.
    post(source, [indicator(1, modified="2026-03-01T00:00:00.000Z", revoked=True)])
    until("a new version", lambda: inbox(me)[indicator(1)["id"]].get("revoked"))
    # Over a kill -9 in the middle: all of it, once.
    post(source, [indicator(n) for n in range(100, 1100)])
    until("some of many", lambda: feed(me, "second")["taken"] > 10)
    me.kill()
    me.start()
    at_death = feed(me, "second")["taken"]
    until("all after a kill -9", lambda: feed(me, "second")["taken"] >= 1005)
    check("the kill came in the middle", 10 < at_death < 1005, at_death)
    state = feed(me, "second")
    check("each counted once over a kill -9", state["taken"] == 1005 and state["known"] == 0, state)
    # Pause, resume, remove.
    nodes.run("peer", "pause", "second", "--dir", me.dir)
    time.sleep(0.5)
    post(source, [indicator(2000)])
    time.sleep(1.5)
    check("a paused feed does not pull", indicator(2000)["id"] not in inbox(me) and feed(me, "second")["paused"])
    nodes.run("peer", "sync", "second", "--dir", me.dir)
    check("but is pulled when told to", indicator(2000)["id"] in inbox(me))
    post(source, [indicator(2001)])
    nodes.run("peer", "resume", "second", "--dir", me.dir)
    until("a resumed feed pulls", lambda: indicator(2001)["id"] in inbox(me))
    # The secret is looked after at each use.
    secret.chmod(0o644)
    until("a secret that others can read is not used", lambda: "others can read" in feed(me, "second")["last_error"])
    secret.chmod(0o600)
    until("and used again when it is safe", lambda: feed(me, "second")["last_error"] == "")
    nodes.run("token", "new", "analyst", "--role", "analyst", "--dir", me.dir)
    nodes.run("peer", "remove", "second", "--dir", me.dir)
    check("a removed feed is gone, its secret too, what it brought stays",
          "second" not in nodes.run("peer", "list", "--dir", me.dir) and not secret.exists() and indicator(2001)["id"] in inbox(me))
    check("and cannot be asked for", entente("peer", "status", "second", "--dir", me.dir).returncode != 0)


def broken(tmp, me):
    """Every broken answer at the level of the feed. Each has ids of its own."""
    (tmp / "token").write_text("full\n")
    at = 1
    borne = ("empty_lists", "milliseconds", "plain_content_type", "undefined_on_empty", "now_on_empty", "small_pages", "no_next", "headers_of_all", "empty_body_two", "numbers_as_ids", "next_once", "next_is_offset", "no_headers", "cut",
             "busy", "short_versions", "no_max_length", "needs_user_agent", "no_405", "floats", "other_default", "next_forgets")
    said = {"more_always": "advance", "limit_ignored": "more objects", "twice": "", "down": "503"}
    for fault in ("", *borne, *said, "no_next no_headers"):
        at += 1
        server, port = serve(fault.split(), str(tmp / "cert.pem"), str(tmp / "key.pem"))
        world, want = server.world, []
        for n in range(N):
            o = indicator(at * 10_000 + n)
            world.rows.append({"o": o, "raw": json.dumps(o), "date": world.date(), "version": o["modified"]})
            want.append(o["id"])
        bad = {**indicator(at * 10_000 + 900), "pattern": "[broken"}
        if not fault:
            world.rows.append({"o": bad, "raw": json.dumps(bad), "date": world.date(), "version": bad["modified"]})
        body = {"name": f"broken-{at}", "url": f"https://127.0.0.1:{port}", "root": "/api/", "collection": "main", "secret_file": "broken.secret", "ca_file": "broken.pem", "page": 5, "interval": 3600, "paused": True}
        folder = pathlib.Path(me.dir, "feeds")
        folder.mkdir(exist_ok=True)
        (folder / "broken.secret").touch(0o600)
        (folder / "broken.secret").write_text("full\n")
        (folder / "broken.pem").write_text((tmp / "cert.pem").read_text())
        status, answer = api(me, "POST", "/api/v1/feeds", body)
        assert status == 200, answer
        r = entente("peer", "sync", f"broken-{at}", "--dir", me.dir)
        state, have = feed(me, f"broken-{at}"), inbox(me)
        came = sum(i in have for i in want)
        if fault in said or " " in fault:
            check(f"said: {fault}", r.returncode != 0 and said.get(fault, "advance") in state["last_error"] and state["last_error"], state)
            if fault == "more_always":
                check("more_always: what came before is kept", came == N, came)
        else:
            check(f"borne: {fault or 'nothing wrong'}", r.returncode == 0 and came == N and state["taken"] == N, (r.stderr, came, state))
            if not fault:
                check("one bad object sinks no other and is listed", state["refused"] == 1 and state["refusals"][0]["id"] == bad["id"] and state["refusals"][0]["why"], state)
            # Again, with one more behind: that one alone is new.
            o = indicator(at * 10_000 + 500)
            world.rows.append({"o": o, "raw": json.dumps(o), "date": world.date(), "version": o["modified"]})
            r = entente("peer", "sync", f"broken-{at}", "--dir", me.dir)
            again = feed(me, f"broken-{at}")
            check(f"and the next pull: {fault or 'nothing wrong'}", r.returncode == 0 and o["id"] in inbox(me) and again["taken"] == N + 1, (r.stderr, again))
        server.shutdown()
        server.server_close()
    r = entente("peer", "sync", "broken-2", "--dir", me.dir)
    check("no server at all: said, and the place is kept", r.returncode != 0 and feed(me, "broken-2")["last_error"] and feed(me, "broken-2")["taken"] == N + 1, r)
    # A name is no way out of the node's folder.
    for more in ({"secret_file": "../keys/node.pem"}, {"ca_file": "/etc/passwd"}, {"secret_env": "PATH"}, {"root": "//elsewhere/"}, {"url": "ftp://x"}, {"interval": 0}, {"user": "a:b"}, {"pin": "00"}):
        status, answer = api(me, "POST", "/api/v1/feeds", {**body, **more})
        check(f"refused: {more}", status == 400, answer)


with tempfile.TemporaryDirectory(prefix="entente-feed-") as folder:
    folder = pathlib.Path(folder)
    certificate(str(folder))
    me, source = nodes.Node(str(folder / "in"), "IN"), nodes.Node(str(folder / "jp"), "JP")
    try:
        for n in (me, source):
            n.start()
        second_node(folder, me, source)
        broken(folder, me)
        me.kill()
        nodes.run("node", "check", "--dir", me.dir)
        print("ok    node check")
    finally:
        for n in (me, source):
            if n.process:
                n.kill()
print(f"{len(FAILED)} wrong" if FAILED else "all as it should be")
sys.exit(1 if FAILED else 0)
