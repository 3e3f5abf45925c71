#!/usr/bin/env python3
"""docs/rights.md against a node: every line of its table is walked as everybody, on a node with an agreement in force. And what a table cannot say: no
answer tells whether a thing that one may not know of is there; a changed password, a removed account and a revoked token end at once; who guesses at
passwords waits, and nobody else does.

    rights_test.py ENTENTE SOURCE_DIR
"""
import base64, http.client, json, pathlib, re, ssl, statistics, subprocess, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
ENTENTE, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "tests"))
sys.argv[1:] = [ENTENTE]
import crash_test as nodes  # noqa: E402  Node, agree

FAILED = []
ROLES = ["analyst", "publisher", "release-officer", "liaison", "sensor", "auditor"]
TAXII = "application/taxii+json;version=2.1"


def check(what, good, detail=""):
    if not good or "`" not in what:
        print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def table():
    lines = [[c.strip() for c in line.strip().strip("|").split("|")] for line in (SOURCE / "docs" / "rights.md").read_text().split("\n## ")[0].splitlines() if line.startswith("|")]
    head = lines[0][1:]
    rows = []
    for cells in lines[2:]:
        method, path = re.fullmatch(r"`([A-Z]+) ([^`]+)`", cells[0]).groups()
        rows.append((method, path, dict(zip(head, cells[1:], strict=True))))
    return rows


def indicator():
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
            "pattern": "[domain-name:value = 'x.example']", "valid_from": "2026-01-01T00:00:00Z"}


class Caller:
    def __init__(self, node, name, authorization="", certificate=None):
        self.node, self.name, self.authorization = node, name, authorization
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE  # loopback, our own node
        if certificate:
            self.context.load_cert_chain(*certificate)
        self.connection = None

    def ask(self, method, path, body=None):
        """(status, headers, octets)"""
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection("127.0.0.1", self.node.port, timeout=10, context=self.context)
            headers = {"Authorization": self.authorization} if self.authorization else {}
            taxii = not path.startswith(("/api/", "/healthz", "/readyz", "/ledger/", "/witness/", "/metrics"))
            if taxii:
                headers["Accept"] = TAXII
            if body is not None:
                headers["Content-Type"] = TAXII if taxii else "application/json"
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (OSError, http.client.HTTPException) as e:
                self.connection = None
                if attempt == 2 or isinstance(e, TimeoutError):
                    return 0, {}, f"{method} {path}: {e!r}".encode()


def walk(node, partner, agreement, callers):
    admin = callers["admin"]
    status, _, text = admin.ask("GET", f"/api/v1/agreements/{agreement}")
    assert status == 200, text
    found = json.loads(text)
    names = {"agreement": agreement, "partner": "JP", "received": found["collections"][0]["id"], "root": found["root"], "to": "to-jp", "ledger": agreement.removeprefix("urn:uuid:")}
    feed = {"name": "rights", "url": "https://127.0.0.1:1", "root": "/x/", "collection": "c", "paused": True}
    n = 0
    for method, path, who in table():
        check(f"`{method} {path}` names everybody", set(who) == set(callers), set(who) ^ set(callers))
        for name, want in who.items():
            n += 1
            made = dict(names)
            if "{object}" in path:
                o = indicator()
                made["object"] = o["id"]
                assert admin.ask("POST", "/local/collections/inbox/objects/", json.dumps({"objects": [o]}))[0] == 202
            if "{feed}" in path:
                made["feed"] = "rights"
                assert admin.ask("POST", "/api/v1/feeds", json.dumps(feed))[0] == 200
            if "{sensor}" in path:
                report = {"sensor": str(uuid.uuid4()), "mode": "monitor", "enforcers": [], "applied": {}, "recalled": []}
                assert admin.ask("POST", "/api/v1/sensors/report", json.dumps(report))[0] == 200
                made["sensor"] = next(s["name"] for s in json.loads(admin.ask("GET", "/api/v1/sensors")[2])["sensors"] if s["name"].endswith(report["sensor"]))
            if "{account}" in path:
                made["account"] = f"a{n}"
                assert admin.ask("POST", "/api/v1/accounts", json.dumps({"name": f"a{n}", "role": "sensor", "password": "a-long-password"}))[0] in (200, 201)
            if "{token}" in path:
                made["token"] = f"t{n}"
                assert admin.ask("POST", "/api/v1/tokens", json.dumps({"name": f"t{n}", "role": "sensor"}))[0] in (200, 201)
            at = re.sub(r"\{(\w+)\}", lambda m: made[m[1]], path)
            body = None
            if method == "POST":
                # Well formed where that does no harm; otherwise what is permitted is seen by the 400 that follows.
                body = json.dumps({"objects": [indicator()]} if "/objects/" in path else feed if path == "/api/v1/feeds" else {"destroy": False} if "retention" in path else {"ids": [indicator()["id"]]} if "hold" in path or "recall" in path else {})
                if path.endswith("/plan"):
                    at, body = at + "?to=JP", json.dumps(indicator())
            status, headers, text = callers[name].ask(method, at, body)
            good = status == int(want) if want != "yes" else status in (200, 202, 204) or status == 400 and method == "POST"
            check(f"`{method} {path}` as {name}: {want}", good, (status, text[:200]))
            if want == "401":
                check(f"`{method} {path}` as nobody asks for a login (T5)", "WWW-Authenticate" in headers, dict(headers))
    check(f"every line of docs/rights.md as everybody: {n} requests", n > 400, n)
    # The table has every path that the API's page has.
    listed = {(m, p) for m, p, _ in table()}
    for cell in re.findall(r"^\| (`.*?) \|", (SOURCE / "docs" / "api.md").read_text(), re.M):
        for method, path in re.findall(r"`(GET|POST|DELETE) (/api/[^`?]*)", cell):
            shape = re.sub(r"\{[^}]*\}", "{}", path)
            check(f"`{method} {path}` of docs/api.md is in docs/rights.md", any(m == method and re.sub(r"\{[^}]*\}", "{}", p) == shape for m, p in listed))
    return names


def no_leaks(callers, names):
    """T6, App. B: what is hidden and what is not there give the same octets."""
    def same(name, hidden, absent, method="GET", body=None):
        a, b = (callers[name].ask(method, p, body) for p in (hidden, absent))
        strip = lambda text: re.sub(rb"[0-9a-f]{8}-[0-9a-f-]{27}|inbox|nowhere|to-jp|to-xx", b"*", text)  # noqa: E731  what the caller wrote itself
        shown = lambda h: sorted(k.lower() for k in h)  # noqa: E731
        check(f"{name}: {method} {hidden.split('/')[1]}: hidden is as absent", a[0] == b[0] == 404 and strip(a[2]) == strip(b[2]) and len(a[2]) == len(b[2]) and shown(a[1]) == shown(b[1]), (a, b))

    nowhere = str(uuid.uuid4())
    inbox = json.loads(callers["admin"].ask("GET", "/local/collections/inbox/")[2])["id"]
    for verb in ("", "objects/", "manifest/"):
        same("liaison", f"/local/collections/{inbox}/{verb}", f"/local/collections/{nowhere}/{verb}")
        same("partner", f"/local/collections/{inbox}/{verb}", f"/local/collections/{nowhere}/{verb}")
    same("liaison", f"/local/collections/{inbox}/objects/", f"/local/collections/{nowhere}/objects/", "POST", json.dumps({"objects": [indicator()]}))
    same("analyst", f"/ledger/{names['ledger']}/checkpoint", f"/ledger/{nowhere}/checkpoint")
    root = names["root"]
    same("analyst", f"{root}collections/", root[:-9] + "00000000/collections/")
    # A removed or withheld object, and one that never was, for the partner.
    same("partner", f"{root}collections/to-jp/objects/indicator--{nowhere}/", f"{root}collections/to-jp/objects/indicator--{uuid.uuid4()}/")
    # A status is for whoever posted.
    status = json.loads(callers["publisher"].ask("POST", "/local/collections/inbox/objects/", json.dumps({"objects": [indicator()]}))[2])["id"]
    same("analyst", f"/local/status/{status}/", f"/local/status/{nowhere}/")
    # Wrong account, wrong password, no such token: one answer.
    node = callers["admin"].node
    basic = lambda user, password: "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()  # noqa: E731
    answers = {Caller(node, "x", a).ask("GET", "/api/v1/status")[2] for a in (basic("carol", "a-wrong-password"), basic("nobody-here", "a-wrong-password"), "Bearer ent_nothing")}
    check("a wrong password, an account that is not there and a wrong token get the same answer", len(answers) == 1, answers)
    known, unknown = [], []
    for k in range(6):
        for user, times in (("carol", known), ("nobody-here", unknown)):
            start = time.perf_counter()
            Caller(node, "x", basic(user, f"a-wrong-password-{k}")).ask("GET", "/api/v1/status")
            times.append(time.perf_counter() - start)
    a, b = statistics.median(known), statistics.median(unknown)
    check(f"a name that is there takes as long as one that is not ({a * 1000:.0f} and {b * 1000:.0f} ms)", max(a, b) < 2 * min(a, b) and min(a, b) > 0.01, (known, unknown))


def ends(tmp, node, callers):
    """Rights end at once, also those of credentials that were verified a moment ago."""
    admin = callers["admin"]
    basic = lambda password: "Basic " + base64.b64encode(f"dave:{password}".encode()).decode()  # noqa: E731
    for role in ("analyst", "auditor"):
        assert admin.ask("POST", "/api/v1/accounts", json.dumps({"name": "dave", "role": role, "password": "the-first-password"}))[0] in (200, 201)
        dave = Caller(node, "dave", basic("the-first-password"))
        plan = [dave.ask("POST", "/api/v1/release/plan?to=JP", json.dumps(indicator()))[0] for _ in range(2)]
        check(f"an account put again as {role} has that role at once", plan == [200 if role == "analyst" else 403] * 2, plan)
    admin.ask("POST", "/api/v1/accounts", json.dumps({"name": "dave", "role": "auditor", "password": "the-second-password"}))
    check("the old password ends at once", dave.ask("GET", "/api/v1/status")[0] == 401)
    again = Caller(node, "dave", basic("the-second-password"))
    check("the new one is taken", again.ask("GET", "/api/v1/status")[0] == 200)
    admin.ask("DELETE", "/api/v1/accounts/dave")
    check("a removed account ends at once", again.ask("GET", "/api/v1/status")[0] == 401)
    token = json.loads(admin.ask("POST", "/api/v1/tokens", json.dumps({"name": "short", "role": "analyst", "days": 1}))[2])
    check("a token has an end", token["expires"] > time.strftime("%Y-%m-%d"), token)
    holder = Caller(node, "short", f"Bearer {token['token']}")
    check("a token is taken", [holder.ask("GET", "/api/v1/status")[0] for _ in range(2)] == [200, 200])
    admin.ask("DELETE", "/api/v1/tokens/short")
    check("a revoked token ends at once", holder.ask("GET", "/api/v1/status")[0] == 401)


def scopes(node, callers):
    """A token may be narrowed below its role, and is never widened by that: docs/rights.md, 'Tokens for one thing'."""
    admin, made = callers["admin"], {}
    for name, role, more in (("reader", "admin", {"read_only": True}), ("siem", "admin", {"read_only": True, "collections": ["inbox"]}), ("drop", "admin", {"collections": ["sightings"]}),
                             ("hidden", "liaison", {"collections": ["inbox"]})):
        status, _, text = admin.ask("POST", "/api/v1/tokens", json.dumps({"name": name, "role": role, "days": 1, **more}))
        assert status == 200, text
        made[name] = Caller(node, name, "Bearer " + json.loads(text)["token"])
    post = json.dumps({"objects": [indicator()]})

    def status(name, method, path, body=None):
        return made[name].ask(method, path, body)[0]

    inbox, sightings = "/local/collections/inbox/objects/", "/local/collections/sightings/objects/"
    reads = [status("reader", "GET", p) for p in (inbox, sightings, "/api/v1/status", "/api/v1/accounts")]
    check("a read-only token reads what its role reads", reads == [200] * 4, reads)
    object_id = json.loads(post)["objects"][0]["id"]
    admin.ask("POST", inbox, post)
    writes = [status("reader", "POST", inbox, post), status("reader", "DELETE", f"{inbox}{object_id}/"), status("reader", "POST", "/api/v1/tokens", json.dumps({"name": "more", "role": "admin"})),
              status("reader", "DELETE", "/api/v1/tokens/siem"), status("reader", "POST", "/api/v1/hold", json.dumps({"ids": [object_id]}))]
    check("and writes nothing", writes == [403] * 5, writes)
    told = json.loads(made["reader"].ask("POST", "/api/v1/hold", "{}")[2])
    check("the refusal says why and what would change it", "read-only" in json.dumps(told) and "--read-only" in json.dumps(told), told)
    shown = [c["alias"] for c in json.loads(made["siem"].ask("GET", "/local/collections/")[2])["collections"]]
    check("a token for one collection sees that one", shown == ["inbox"] and status("siem", "GET", inbox) == 200, shown)
    others = [status("siem", "GET", sightings), status("siem", "GET", f"/local/collections/{uuid.uuid4()}/objects/"), status("siem", "POST", inbox, post)]
    check("others look to it as if they were not there", others == [404, 404, 403], others)
    api = [status("siem", "GET", p) for p in ("/api/v1/status", "/api/v1/tokens", "/api/v1/decisions", "/api/v1/agreements")] + [status("drop", "POST", "/api/v1/tokens", "{}")]
    check("and the API is closed to it", api == [403] * 5, api)
    drop = [status("drop", "POST", sightings, post), status("drop", "POST", inbox, post)]
    check("a token for one collection writes there if its role may", drop == [202, 404], drop)
    check("a scope adds nothing to a role", status("hidden", "GET", inbox) == 404)
    basic = Caller(node, "siem", "Basic " + base64.b64encode(b"siem:" + made["siem"].authorization[7:].encode()).decode())
    check("a token sent as a password is as narrow", [basic.ask("GET", p)[0] for p in (inbox, sightings, "/api/v1/status")] == [200, 404, 403])
    refused = admin.ask("POST", "/api/v1/tokens", json.dumps({"name": "wrong", "role": "analyst", "collections": ["inbocks"]}))
    check("a collection that is not there is refused, with those that are", refused[0] in (400, 422) and b"sightings" in refused[2], refused)
    listed = {t["name"]: t["scope"] for t in json.loads(admin.ask("GET", "/api/v1/tokens")[2])["tokens"]}
    check("the list of tokens says it", (listed["siem"], listed["reader"], listed["drop"]) == ("read-only inbox", "read-only", "read-write sightings"), listed)


def guessing(node, callers):
    """Last: a guesser is held up with 503 or 429 and Retry-After; tokens, certificates and who logged in before are not."""
    basic = lambda user, password: "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()  # noqa: E731
    carol = Caller(node, "carol", basic("carol", "a-long-password-4711"))
    check("carol logs in", carol.ask("GET", "/api/v1/status")[0] == 200)
    seen, waits = set(), set()
    for n in range(40):
        status, headers, _ = Caller(node, "x", basic("carol", f"guess-number-{n}")).ask("GET", "/api/v1/status")
        seen.add(status)
        if status in (429, 503):
            waits.add(headers.get("Retry-After"))
    check("who guesses is held up", seen & {429, 503} and 200 not in seen, seen)
    check("and told for how long", waits and None not in waits, waits)
    check("the account is not locked for its owner, who was logged in", carol.ask("GET", "/api/v1/status")[0] == 200)
    check("nor is anybody with a token or a certificate", callers["analyst"].ask("GET", "/taxii2/")[0] == 200 and callers["partner"].ask("GET", "/taxii2/")[0] == 200)


def main(tmp):
    tmp = pathlib.Path(tmp)
    a, b = pair = [nodes.Node(str(tmp / "in"), "IN"), nodes.Node(str(tmp / "jp"), "JP")]
    try:
        for n in pair:
            n.start()
        agreement = nodes.agree(tmp, pair)
        (tmp / "password").write_text("a-long-password-4711\n")
        nodes.run("account", "add", "carol", "--role", "analyst", "--password-file", tmp / "password", "--dir", a.dir)
        callers = {role: Caller(a, role, "Bearer " + nodes.run("token", "new", f"r-{role}", "--role", role, "--dir", a.dir).split()[0]) for role in ROLES}
        callers["admin"] = Caller(a, "admin", f"Bearer {a.token}")
        callers["partner"] = Caller(a, "partner", certificate=(f"{b.dir}/keys/tls.crt", f"{b.dir}/keys/tls.key"))
        callers["nobody"] = Caller(a, "nobody")
        names = walk(a, b, agreement, callers)
        no_leaks(callers, names)
        ends(tmp, a, callers)
        scopes(a, callers)
        # A certificate that nothing pins is nobody.
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=JP", "-keyout", tmp / "k.pem", "-out", tmp / "c.pem"], check=True, capture_output=True)
        stranger = Caller(a, "stranger", certificate=(tmp / "c.pem", tmp / "k.pem"))
        check("a certificate that nothing pins, with the partner's name, is nobody", stranger.ask("GET", names["root"])[0] == 401 and stranger.ask("GET", "/taxii2/")[0] == 401)
        guessing(a, callers)
    finally:
        for n in pair:
            if n.process:
                n.kill()


with tempfile.TemporaryDirectory(prefix="entente-rights-") as folder:
    main(folder)
print(f"{len(FAILED)} wrong" if FAILED else "all as it should be")
sys.exit(1 if FAILED else 0)
