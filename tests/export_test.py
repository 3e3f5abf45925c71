#!/usr/bin/env python3
"""Exports as others read them: the command line over files, and a running sensor's files over HTTP. Readers here are written from the documentation of the
programs that the files are for, and share no code with their writers; nftables, Unbound and, where it is installed, Suricata read them themselves."""
import base64, csv, hashlib, io, ipaddress, json, pathlib, re, shutil, signal, ssl, subprocess, sys, tempfile, time, urllib.error, urllib.request

from sensor_lab import Checks, Node, Sensor, address, indicator, own_namespace, within

ENTENTE = sys.argv[1]
JA3, JA4 = "ada70206e40642a3e4461f35503241d5", "t13d1516h2_8daaf6152771_e5627efa2ab1"
check = Checks()


def run(*args):
    return subprocess.run([ENTENTE, *map(str, args)], capture_output=True, text=True, timeout=60)


# --- readers

def read_zeek(text):
    """https://docs.zeek.org/en/current/frameworks/intel.html, and the ASCII reader: '#fields' names the columns, other lines with '#' are comments, fields are
    separated by single tabs, '-' is unset."""
    types = {"Intel::ADDR", "Intel::SUBNET", "Intel::URL", "Intel::EMAIL", "Intel::DOMAIN", "Intel::FILE_HASH", "Intel::JA3"}  # the last by the package ja3
    header, rows = None, []
    for line in text.splitlines():
        if line.startswith("#fields\t"):
            header = line.split("\t")[1:]
        elif not line.startswith("#"):
            fields = line.split("\t")
            assert header and len(fields) == len(header), line
            row = {k: None if v == "-" else v for k, v in zip(header, fields)}
            assert row["indicator_type"] in types and row["indicator"] and row["meta.source"], line
            if row["indicator_type"] == "Intel::ADDR":
                ipaddress.ip_address(row["indicator"])
            if row["indicator_type"] == "Intel::SUBNET":
                ipaddress.ip_network(row["indicator"])
            if row["indicator_type"] == "Intel::URL":
                assert "://" not in row["indicator"], line
            rows.append(row)
    return rows


OPTION = re.compile(r"\s*([a-z0-9_.]+)(?::((?:[^\";\\]|\\.|\"(?:[^\"\\]|\\.)*\")*))?;")


def read_rules(text):
    """https://docs.suricata.io/en/latest/rules/intro.html: action, protocol, addresses, ports, direction, then options in brackets, each ended by ';'."""
    sids, rules = set(), []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, body = line.partition("(")
        action, protocol, source, sport, arrow, target, dport = head.split()
        assert action == "alert" and protocol in ("ip", "dns", "tls", "http", "quic") and arrow == "->" and body.endswith(")"), line
        options, at = [], 0
        body = body[:-1]
        while body[at:].strip():
            m = OPTION.match(body, at)
            assert m, line
            options.append((m[1], m[2]))
            at = m.end()
        names = [k for k, _ in options]
        assert names[0] == "msg" and "sid" in names and "rev" in names, line
        sid = int(dict(options)["sid"])
        assert sid not in sids, f"sid {sid} twice"
        sids.add(sid)
        for key, value in options:
            if key == "content":
                pattern = value.strip('"')
                plain = re.sub(r"\|([0-9a-f ]+)\|", lambda m: bytes.fromhex(m[1]).decode("latin-1"), pattern)
                assert not set(re.sub(r"\|[0-9a-f ]+\|", "", pattern)) & set('";\\:|'), line
                options.append(("plain", plain))
            if key == "bsize":
                assert int(value) == len([v for k, v in options if k == "plain"][-1]), line
        rules.append(options)
    return rules


def below_names(rules):
    return {dict(r)["plain"] for r in rules if ("dotprefix", None) in r}


# --- files

def offline(tmp):
    (tmp / "in.json").write_text(json.dumps({"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000001", "objects": [
        address(1, "198.51.100.7"),
        indicator(2, "[domain-name:value = 'evil.example' OR domain-name:value LIKE '%.evil.example']"),
        indicator(3, "[url:value = 'http://evil.example/a;b']"),
        indicator(4, "[file:hashes.MD5 = '0123456789abcdef0123456789abcdef']"),
        indicator(5, "[ipv4-addr:value = '127.0.0.1']"),
        indicator(6, "[domain-name:value LIKE '%.co.jp' OR domain-name:value = 'co.jp']"),
        indicator(7, "[domain-name:value = 'old.example']", valid_until="2026-01-02T00:00:00Z"),
        indicator(8, "[process:name = 'x' AND domain-name:value = 'y.example']"),
        indicator(9, "[ipv6-addr:value ISSUBSET '2001:db8::/64']"),
        indicator(10, "[domain-name:value = 'bank.example']"),
        indicator(11, f"[network-traffic:extensions.'tls-ext'.ja3 = '{JA3}' OR network-traffic:extensions.'tls-ext'.ja4 = '{JA4}']"),
    ]}))
    (tmp / "list.txt").write_text("bad.example\n203.0.113.9\nmail@evil.example\n")
    (tmp / "allow.txt").write_text("bank.example\n")
    files = ["--allow-list", tmp / "allow.txt", tmp / "in.json", tmp / "list.txt"]
    r = run("export", "--to", "text", *files)
    lines = [line for line in r.stdout.splitlines() if not line.startswith("#")]
    check("text: every value that may be blocked, no other", r.returncode == 0 and sorted(lines) == sorted(
        ["198.51.100.7", "203.0.113.9", "2001:db8::/64", "*.evil.example", "bad.example", "http://evil.example/a;b", "0123456789abcdef0123456789abcdef",
         "mail@evil.example", JA3, JA4]), r.stdout + r.stderr)
    check("what was refused is told with its rule", "PROTECTED" in r.stderr and "no longer valid" in r.stderr and "no single value" in r.stderr, r.stderr)
    r = run("export", "--to", "zeek", *files, "--out", str(tmp / "zeek") + "/")
    rows = read_zeek((tmp / "zeek/entente.intel").read_text())
    prints = read_zeek((tmp / "zeek/entente-ja3.intel").read_text())
    check("zeek: JA3 is in a file of its own, JA4 is told as not said", [(x["indicator"], x["indicator_type"]) for x in prints] == [(JA3, "Intel::JA3")] and "no type for JA4" in r.stdout + r.stderr,
          f"{prints} {r.stdout} {r.stderr}")
    check("zeek: its own reader reads all of them", sorted((x["indicator"], x["indicator_type"]) for x in rows) == sorted(
        [("198.51.100.7", "Intel::ADDR"), ("203.0.113.9", "Intel::ADDR"), ("2001:db8::/64", "Intel::SUBNET"), ("evil.example", "Intel::DOMAIN"),
         ("bad.example", "Intel::DOMAIN"), ("evil.example/a;b", "Intel::URL"), ("0123456789abcdef0123456789abcdef", "Intel::FILE_HASH"),
         ("mail@evil.example", "Intel::EMAIL")]), rows)
    check("zeek: what lies below a name is told as not said", "what lies below" in r.stdout + r.stderr, r.stdout + r.stderr)
    r = run("export", "--to", "suricata", *files)
    check("suricata: several files want a folder", r.returncode == 2 and "--out FOLDER/" in r.stderr, r.stderr)
    r = run("-o", "json", "export", "--to", "suricata", *files, "--out", str(tmp / "suricata") + "/")
    check("suricata: written, and counted", r.returncode == 0 and json.loads(r.stdout)["exported"]["values"] == 9, r.stdout + r.stderr)
    for name, value in (("ja3", JA3), ("ja4", JA4)):
        got = [base64.b64decode(line, validate=True).decode() for line in (tmp / f"suricata/entente-{name}.lst").read_text().splitlines()]
        rules = [dict(o) for o in read_rules((tmp / "suricata/entente-fingerprints.rules").read_text())]
        check(f"suricata: {name} is in a set that a rule asks", got == [value] and sum(f"{name}.hash" in o and f"load entente-{name}.lst" in o["dataset"] for o in rules) == 2, f"{got} {rules}")
    suricata(tmp / "suricata", {"evil.example", "bad.example"}, {"198.51.100.7/32", "203.0.113.9/32", "2001:db8::/64"}, {".evil.example"})
    r = run("export", "--to", "csv", *files)
    rows = list(csv.DictReader(io.StringIO(r.stdout)))
    check("csv: a row for each with its indicator and end", len(rows) == 10 and all(x["indicator"].startswith("indicator--") and x["end"] == "" for x in rows), rows)
    r = run("export", "--to", "rpz", *files, "--out", tmp / "rpz.zone")
    text = (tmp / "rpz.zone").read_text()
    check("rpz: names and what is below them", "\nevil.example CNAME ." in text and "\n*.evil.example CNAME ." in text and "198.51" not in text, text)
    resolver(tmp)
    r = run("export", "--to", "nft", *files, "--out", tmp / "block.nft")
    read = subprocess.run(["nft", "-c", "-f", tmp / "block.nft"], capture_output=True, text=True)
    check("nft reads its file", read.returncode == 0, read.stderr)
    r = run("export", "--to", "text", *files, "--capacity", "2")
    check("above the capacity: told with the first", "above the capacity of 2, first: " in r.stderr and r.stdout.count("\n") <= 4, r.stdout + r.stderr)
    r = run("export", "--to", "nft")
    check("export of nothing", r.returncode == 2 and "--state" in r.stderr, r.stderr)
    r = run("export", "--to", "csv", "--state", tmp / "nowhere")
    check("export of a sensor that does not run", r.returncode == 2 and "is a sensor running" in r.stderr, r.stderr)


def suricata(folder, names, networks, below):
    rules = read_rules((folder / "entente.rules").read_text())
    read_rules((folder / "entente-suricata8.rules").read_text())
    sets = {base64.b64decode(line, validate=True).decode() for line in (folder / "entente-names.lst").read_text().splitlines()}
    check("suricata: the set has the names", sets == names, sets)
    reputation = [line.split(",") for line in (folder / "entente-reputation.list").read_text().splitlines() if not line.startswith("#")]
    check("suricata: reputation has addresses and ranges in a category that exists",
          {str(ipaddress.ip_network(a)) for a, _, _ in reputation} == networks and all(c == "1" and 0 < int(s) < 128 for _, c, s in reputation)
          and (folder / "entente-categories.txt").read_text().startswith("1,Entente,"), reputation)
    check("suricata: a rule for what is below a name", below_names(rules) == below, below_names(rules))
    if shutil.which("suricata") is None:
        print("skip  suricata is not installed here: its rules were read by this test's own reader only")
        return
    (folder / "suricata.yaml").write_text(f"%YAML 1.1\n---\ndefault-rule-path: {folder}\nrule-files: [entente.rules]\ndefault-reputation-path: {folder}\n"
                                          f"reputation-categories-file: {folder}/entente-categories.txt\nreputation-files: [entente-reputation.list]\n")
    r = subprocess.run(["suricata", "-T", "-c", folder / "suricata.yaml", "-l", folder], capture_output=True, text=True, timeout=60)
    check("suricata -T takes rules, sets and reputation", r.returncode == 0, r.stdout + r.stderr)


def resolver(tmp):
    if shutil.which("unbound") is None:
        print("skip  unbound is not installed here")
        return
    (tmp / "unbound.conf").write_text(f"""server:
  interface: 127.0.0.1@5366
  module-config: "respip iterator"
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{tmp}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
rpz:
  name: rpz.entente
  zonefile: {tmp}/rpz.zone
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@5367
""")
    p = subprocess.Popen(["unbound", "-d", "-c", tmp / "unbound.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def rcode(name):
            import socket, struct
            q = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0\0\1\0\1"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.3)
                s.sendto(q, ("127.0.0.1", 5366))
                try:
                    return s.recv(2000)[3] & 15
                except OSError:
                    return None
        within(5, lambda: rcode("evil.example") is not None)
        check("unbound with the zone: the name and what is below does not exist, others are asked for",
              rcode("evil.example") == 3 and rcode("a.b.evil.example") == 3 and rcode("good.example") != 3, rcode("evil.example"))
    finally:
        p.kill()
        p.wait()


# --- a running sensor

def live(tmp):
    node = Node()
    r = run("init", tmp / "tls", "--party", "IN", "--name", "x", "--listen", "127.0.0.1:1")
    cert, key = tmp / "tls/keys/tls.crt", tmp / "tls/keys/tls.key"
    check("a certificate to serve with", r.returncode == 0 and cert.exists(), r.stderr)
    (tmp / "export.token").write_text("hidden\n")
    (tmp / "export.token").chmod(0o600)
    sensor = Sensor(ENTENTE, tmp / "sensor", node, 'enforcer = "none"', f"""[export]
forms = ["text", "csv", "zeek", "suricata", "rpz", "nft:3"]
dir = "exports"
listen = "127.0.0.1:8480"
cert = "{cert}"
key = "{key}"
token_file = "{tmp}/export.token"
""").start()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def get(name, token="hidden", etag=None, method="GET"):
        request = urllib.request.Request(f"https://127.0.0.1:8480/{name}", method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if etag:
            request.add_header("If-None-Match", etag)
        try:
            with urllib.request.urlopen(request, context=context, timeout=5) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode(), e.headers
        except OSError:  # it is not there yet, or no more
            return 0, "", {"ETag": None}

    try:
        within(5, lambda: get("addresses.txt")[0])
        check("without the token: 401", get("addresses.txt", token=None)[0] == 401)
        status, body, headers = get("addresses.txt")
        check("before anything is shared the lists are there and empty", (status, body) == (200, "# entente: 0 entries\n"), (status, body))
        etag = headers["ETag"]
        node.add(*[address(i, f"198.51.100.{i}") for i in range(1, 6)], indicator(20, "[domain-name:value = 'evil.example']"), address(21, "127.0.0.1"))
        began = time.monotonic()
        check("a lease is served within seconds", within(5, lambda: get("addresses.txt", etag=etag)[0] == 200))
        print(f"      after {time.monotonic() - began:.2f} s")
        within(5, lambda: get("names.txt")[1].count("\n") == 2)
        status, body, headers = get("addresses.txt")
        check("all of them, and nothing that is protected", body.splitlines()[1:] == [f"198.51.100.{i}" for i in range(1, 6)], body)
        check("the same again: 304 and no body", get("addresses.txt", etag=headers["ETag"])[:2] == (304, ""))
        check("HEAD tells the length only", get("addresses.txt", method="HEAD")[1] == "" and get("addresses.txt", method="HEAD")[2]["ETag"] == headers["ETag"])
        rows = read_zeek(get("entente.intel")[1])
        check("zeek: provenance in its columns", {r["indicator"] for r in rows} == {*(f"198.51.100.{i}" for i in range(1, 6)), "evil.example"}
              and all(r["meta.party"] == "own" and r["meta.lease"].startswith("L") and r["meta.until"] for r in rows), rows)
        rows = list(csv.DictReader(io.StringIO(get("leases.csv")[1])))
        leases = {x["lease"]: x for x in sensor.leases()}
        check("csv: party, lease and end are those of the leases", len(rows) == 6 and all(leases[r["lease"]]["end"] == r["end"] and r["party"] == "own" for r in rows), rows)
        manifest = json.loads(get("")[1])
        nft = next(e for e in manifest["exports"] if e["form"] == "nft")
        check("an export that is full says what it left out", nft["left_out"] == 2 and nft["capacity"] == 3 and len(nft["first_left_out"]) == 2
              and "198.51.100" in get("nft.left-out.csv")[1], nft)
        folder = tmp / "sensor/exports"

        def unlike():  # what is written comes a moment after what is served
            for e in json.loads(get("")[1])["exports"]:
                for f in e["files"]:
                    served, written = get(f["name"])[1].encode(), (folder / f["name"]).read_bytes()
                    if hashlib.sha256(written).hexdigest() != f["sha256"] or (served != written and e["form"] != "nft"):
                        return f["name"]

        check("the group may read them, others not", (folder.stat().st_mode & 0o777, (folder / "leases.csv").stat().st_mode & 0o777) == (0o750, 0o640), oct(folder.stat().st_mode))
        check("every file is served, written and in the manifest alike", within(5, lambda: unlike() is None), unlike())
        suricata(folder, {"evil.example"}, {f"198.51.100.{i}/32" for i in range(1, 6)}, set())
        read = subprocess.run(["nft", "-f", folder / "entente.nft"], capture_output=True, text=True)
        sets = subprocess.run(["nft", "list", "set", "inet", "entente_export", "block4"], capture_output=True, text=True).stdout
        check("nft takes the file that the sensor wrote", read.returncode == 0 and sets.count("198.51.100.") == 3, read.stderr + sets)
        r = run("export", "--to", "zeek", "--state", sensor.state)
        check("export --state: the same entries", sorted(x["indicator"] for x in read_zeek(r.stdout)) == sorted(x["indicator"] for x in read_zeek(get("entente.intel")[1])), r.stderr)

        # A reader that looks at any moment finds whole files.
        torn, n = [], 0
        for i in range(30, 130):
            node.add(address(i, f"203.0.113.{i}"))
            if i % 4 == 0:
                text = (folder / "addresses.txt").read_text()
                n += 1
                if f"# entente: {len(text.splitlines()) - 1} entries" != text.splitlines()[0] or not text.endswith("\n"):
                    torn.append(text)
            time.sleep(0.005)
        check(f"files are replaced whole ({n} looks while they change)", not torn, torn[:1])
        within(5, lambda: get("addresses.txt")[1].count("\n") == 106)
        node.add(address(1, "198.51.100.1", version=2, revoked=True))
        check("a recall takes it out", within(5, lambda: "198.51.100.1\n" not in get("addresses.txt")[1]))
        lease = next(x["lease"] for x in sensor.leases() if x["target"] == "198.51.100.2")
        sensor.run("lease", "lift", lease, "--state", sensor.state)
        check("so does a person", within(5, lambda: "198.51.100.2\n" not in get("addresses.txt")[1]))
        before = get("addresses.txt")[2]["ETag"]
        check("the sensor stops as asked", sensor.kill(signal.SIGTERM) == 0, sensor.said()[-500:])
        check("files stay, with the time until which to use them", json.loads((folder / "manifest.json").read_text())["use_until"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))
        sensor.start()
        check("after a restart the same list has the same tag", within(5, lambda: get("addresses.txt")[2]["ETag"] == before), get("addresses.txt")[1][:200])
    finally:
        sensor.kill()


def refusals(tmp):
    node = Node()
    for config, words in [('[export]\nforms = ["text"]', "leads nowhere"), ('[export]\ndir = "x"', "forms is missing"),
                          ('[export]\nforms = ["snort"]\ndir = "x"', "no form of an export"), ('[export]\nforms = ["text:0"]\ndir = "x"', "no capacity"),
                          ('[export]\nforms = ["text"]\nlisten = "0.0.0.0:8481"', "plain HTTP"), ('[export]\nforms = ["text"]\nlisten = "8481"', "ADDRESS:PORT"),
                          ('[export]\nforms = ["text"]\ndri = "x"', "is no setting")]:
        sensor = Sensor(ENTENTE, tmp / "refused", node, 'enforcer = "none"', config)
        r = run("sensor", "run", "--config", sensor.folder / "sensor.toml")
        check(f"refused: {config.splitlines()[1:]}", r.returncode == 2 and words in r.stderr, r.stderr)


own_namespace()
with tempfile.TemporaryDirectory() as folder:
    tmp = pathlib.Path(folder)
    tmp.chmod(0o755)
    offline(tmp)
    live(tmp)
    refusals(tmp)
check.finish()
