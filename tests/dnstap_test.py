#!/usr/bin/env python3
"""dnstap as name servers write it: BIND and Unbound with their own libraries, over a Unix socket to a running sensor and, BIND, into a file for `hunt`. The names
that clients ask for are found, each with who asked; what a fresh answer led to is leased."""
import json, os, pathlib, shutil, signal, socket, struct, subprocess, sys, tempfile, threading, time

from sensor_lab import Checks, Node, Sensor, address, indicator, own_namespace, within

ENTENTE = sys.argv[1]
check = Checks()


def wire(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def ask(port, name, kind=1, timeout=2):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.sendto(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + wire(name) + struct.pack(">HH", kind, 1), ("127.0.0.1", port))
        try:
            return s.recv(4096)
        except OSError:
            return None


class Upstream:
    """Has 198.51.100.77 for every name."""

    def __init__(self, port):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind(("127.0.0.1", port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            q, peer = self.s.recvfrom(4096)
            end = 12
            while q[end]:
                end += 1 + q[end]
            question = q[12:end + 5]
            is_a = question[-4:] == b"\0\1\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4" + bytes([198, 51, 100, 77]) if is_a else b""
            self.s.sendto(q[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + question + answer, peer)


BIND = """options {{ directory "{d}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file "{d}/pid"; session-keyfile "{d}/session.key";
  recursion yes; allow-query {{ any; }}; dnssec-validation no; forward only; forwarders port 5391 {{ 127.0.0.1; }}; dnstap {{ client response; }};
  dnstap-output {output}; empty-zones-enable no; }};
controls {{ }};
"""
UNBOUND = """server:
  interface: 127.0.0.1@{port}
  module-config: "iterator"
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{d}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@5391
dnstap:
  dnstap-enable: yes
  dnstap-socket-path: "{path}"
  dnstap-log-client-query-messages: yes
  dnstap-log-client-response-messages: yes
"""


class Resolver:
    def __init__(self, tmp, kind, port, **more):
        self.folder = tmp / f"{kind}-{port}"
        self.folder.mkdir()
        conf = self.folder / "conf"
        conf.write_text((BIND if kind == "bind" else UNBOUND).format(d=self.folder, port=port, **more))
        argv = ["named", "-g", "-c", conf, "-n", "1"] if kind == "bind" else ["unbound", "-d", "-c", conf]
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen([str(a) for a in argv], stdout=self.log, stderr=self.log)
        self.up = within(15, lambda: ask(port, "warm.example", timeout=0.3) is not None)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def installed(program):
    if shutil.which(program) or os.path.exists(f"/usr/sbin/{program}"):
        return True
    print(f"skip  {program} is not installed here")
    return False


def live(tmp, kind, port):
    node = Node()
    path = tmp / f"{kind}.sock"
    output = f'unix "{path}"'
    sensor = Sensor(ENTENTE, tmp / f"sensor-{kind}", node, 'enforcer = "nft"', f'[logs]\nlisten = ["dnstap:{path}"]').start()
    resolver = None
    try:
        node.add(indicator(1, f"[domain-name:value = 'evil-{kind}.example']"), indicator(2, "[ipv4-addr:value = '198.51.100.77']", labels=["seen"]))
        within(5, lambda: sensor.status().get("indicators") == 2)
        resolver = Resolver(tmp, kind, port, output=output, path=path)
        check(f"{kind}: starts with dnstap", resolver.up, (resolver.folder / "log").read_text()[-1500:])
        ask(port, f"Evil-{kind}.example")
        ask(port, "good.example")
        tap = lambda: next((x for x in sensor.status().get("logs", []) if x["log"].startswith("dnstap:")), {})
        found = within(10, lambda: any(f"evil-{kind}.example" in s.lower() for s in events(sensor, "detection")))
        check(f"{kind}: the name that was asked for is found, with who asked", found and '"dst":"127.0.0.1"' in "".join(events(sensor, "detection"))
              and '"src":"127.0.0.1"' in "".join(events(sensor, "detection")), events(sensor, "detection") + [json.dumps(tap())])
        check(f"{kind}: nothing is malformed, refused or lost", tap().get("malformed") == 0 and tap().get("refused") == 0 and tap().get("connections", 0) >= 1, tap())
        seen = lambda: [x for x in sensor.leases() if x.get("via_name") == f"evil-{kind}.example" or f"evil-{kind}" in x.get("detection", "").lower()]
        check(f"{kind}: the address that it led to is leased", within(5, seen) and seen()[0]["target"] == "198.51.100.77", sensor.leases())
        # Many at a time: every one of them is counted.
        before = tap().get("lines", 0)
        for i in range(300):
            ask(port, f"n{i}.example")
        per = 2 if kind == "unbound" else 1
        check(f"{kind}: none of 300 is missing", within(10, lambda: tap().get("lines", 0) - before >= 300 * per), (before, tap()))
        # The sensor goes away and comes back: the name server finds it again.
        sensor.kill()
        sensor.start()
        ok = within(25, lambda: ask(port, f"again-{time.monotonic_ns()}.example") and tap().get("lines", 0) > 0, every=0.5)
        check(f"{kind}: after a restart of the sensor it goes on", ok, tap())
    finally:
        if resolver:
            resolver.stop()
        sensor.kill()


def events(sensor, kind):
    try:
        lines = (sensor.state / "events.jsonl").read_text().splitlines()
    except OSError:
        return []
    return [line for line in lines if f'"event":"{kind}"' in line]


def files(tmp):
    """BIND writes a file; hunt reads it, plain and compressed."""
    resolver = Resolver(tmp, "bind", 5396, output=f'file "{tmp}/tap.fstrm"')
    for name in ["evil.example", "good.example", "EVIL.example"]:
        ask(5396, name)
    resolver.stop()
    (tmp / "iocs.txt").write_text("evil.example\n198.51.100.77\n")
    r = subprocess.run([ENTENTE, "hunt", "--indicators", tmp / "iocs.txt", tmp / "tap.fstrm"], capture_output=True, text=True)
    found = [json.loads(line) for line in r.stdout.splitlines()]
    names = [m for m in found if m["type"] == "domain-name"]
    check("hunt: each answer about the name, once", len(names) == 2 and {m["field"] for m in names} == {"query"} and all(m["time"].startswith("20") for m in names), r.stdout + r.stderr)
    check("hunt: the address in every answer (3, and the first one's)", len([m for m in found if m["field"] == "answer"]) == 4, r.stdout + r.stderr)
    subprocess.run(["gzip", "-k", tmp / "tap.fstrm"], check=True)
    z = subprocess.run([ENTENTE, "hunt", "--indicators", tmp / "iocs.txt", tmp / "tap.fstrm.gz"], capture_output=True, text=True)
    check("hunt: the same compressed", len(z.stdout.splitlines()) == len(found), z.stderr)
    data = (tmp / "tap.fstrm").read_bytes()
    (tmp / "cut.fstrm").write_bytes(data[:-30])
    c = subprocess.run([ENTENTE, "hunt", "--indicators", tmp / "iocs.txt", tmp / "cut.fstrm"], capture_output=True, text=True)
    check("hunt: a file that is cut short is said, and searched as far as it goes", "cut short" in c.stderr and c.stdout, c.stderr)


def strangers(tmp):
    """Who speaks no dnstap is refused, said once, and harms nobody."""
    node = Node()
    path = tmp / "strange.sock"
    sensor = Sensor(ENTENTE, tmp / "sensor-strange", node, 'enforcer = "none"', f'[logs]\nlisten = ["dnstap:{path}", "dnstap:127.0.0.1:6399"]').start()
    try:
        for _ in range(50):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(path))
                s.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
                s.settimeout(2)
                try:
                    s.recv(10)
                except OSError:
                    pass
        with socket.create_connection(("127.0.0.1", 6399)) as s:
            content = b"protobuf:dnstap.Dnstap"
            ready = struct.pack(">IIII", 4, 1, len(content), 0)[:12] + content
            s.sendall(struct.pack(">II", 0, len(ready)) + ready)
            s.settimeout(3)
            reply = s.recv(100)
            check("over TCP READY is answered with ACCEPT", reply[8:12] == b"\0\0\0\1" and reply.endswith(content), reply)
        tap = lambda: next((x for x in sensor.status().get("logs", []) if x["log"].endswith("strange.sock")), {})
        check("strangers are counted", within(5, lambda: tap().get("malformed") == 50 and tap().get("connections") == 0), tap())
        check("and said once", sensor.said().count("no stream of dnstap") == 1, sensor.said())
    finally:
        sensor.kill()


own_namespace()
with tempfile.TemporaryDirectory() as folder:
    tmp = pathlib.Path(folder)
    tmp.chmod(0o777)
    upstream = Upstream(5391)
    if installed("unbound"):
        live(tmp, "unbound", 5395)
    if installed("named"):
        live(tmp, "bind", 5394)
        files(tmp)
    strangers(tmp)
check.finish()
