#!/usr/bin/env python3
"""Attacks over HTTP/1.1 and HTTP/2 on a real node, frames and octets made by hand: whoever attacks, nobody else's median latency more than doubles and
the node's memory stays within bounds. Then what must be refused however it is written: smuggling, paths, cursors.

    http_attack_test.py ENTENTE [--only NAME]

Attackers run in a process of their own with a lower priority, as they would on a machine of their own; all share the cores that there are, so an attack is
tried up to three times before it counts as lost.
"""
import argparse, json, multiprocessing, os, pathlib, random, resource, socket, ssl, statistics, struct, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
parser = argparse.ArgumentParser()
parser.add_argument("entente")
parser.add_argument("--only")
args = parser.parse_args()
sys.argv[1:] = [args.entente]
import crash_test as nodes  # noqa: E402  Node

SECONDS = 2.5
MEMORY_MB = 192  # what an attack may add to a node's memory: TLS for thousands of connections is most of it
FAULTS = []


def fault(text):
    FAULTS.append(text)
    print("FAULT:", text, flush=True)


# --- octets ---------------------------------------------------------------------------------------------------------------------------------------------

def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header field that is not put into the table (RFC 7541 §6.2.2)."""
    def text(s):
        b = s.encode()
        if len(b) < 127:
            return bytes([len(b)]) + b
        rest, out = len(b) - 127, bytearray([127])
        while rest >= 128:
            out.append(rest % 128 + 128)
            rest //= 128
        return bytes(out + bytes([rest])) + b
    return b"\x00" + text(name) + text(value)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING = frame(4, 0, 0), frame(6, 0, 0, b"12345678")


def get(path, token):
    return b"\x82\x87" + literal(":path", path) + literal(":authority", "a") + literal("authorization", f"Bearer {token}") + literal("accept", nodes.MEDIA)


def tls(port, alpn, buffer=None):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    raw = socket.socket()
    if buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    raw.settimeout(5)
    raw.connect(("127.0.0.1", port))
    s = context.wrap_socket(raw)
    if s.selected_alpn_protocol() != alpn:
        raise SystemExit(f"http_attack_test: the node does not speak {alpn}")
    return s


def h2(port, first=SETTINGS, buffer=None):
    s = tls(port, "h2", buffer)
    s.sendall(PREFACE + first)
    return s


def send_on_and_on(port, deadline, opening, octets, pause=0.0):
    """Sends the same for as long as it is let, and comes again when it is thrown out. Returns how often it was."""
    thrown = 0
    while time.monotonic() < deadline:
        try:
            s = h2(port, SETTINGS + opening)
            while time.monotonic() < deadline:
                s.sendall(octets() if callable(octets) else octets)
                if pause:
                    time.sleep(pause)
        except OSError:
            thrown += 1
    return thrown


# --- attackers: each runs for SECONDS and returns a number for the report -------------------------------------------------------------------------------

def rapid_reset(port, token, deadline):
    thrown, block = 0, get("/local/collections/inbox/objects/?limit=1000", token)
    while time.monotonic() < deadline:
        try:
            s, stream = h2(port), 1
            while time.monotonic() < deadline:
                out = b""
                for _ in range(100):
                    out += frame(1, 5, stream, block) + frame(3, 0, stream, struct.pack(">I", 8))
                    stream += 2
                s.sendall(out)
        except OSError:
            thrown += 1
    return thrown


def settings_flood(port, token, deadline):
    return send_on_and_on(port, deadline, b"", frame(4, 0, 0, struct.pack(">HI", 4, 65535)) * 500)


def ping_flood(port, token, deadline):
    return send_on_and_on(port, deadline, b"", PING * 500)


def empty_data(port, token, deadline):
    post = b"\x83\x87" + literal(":path", "/local/collections/inbox/objects/") + literal(":authority", "a") + literal("authorization", f"Bearer {token}")
    return send_on_and_on(port, deadline, frame(1, 4, 1, post), frame(0, 0, 1) * 500)


def continuation(port, token, deadline):
    return send_on_and_on(port, deadline, frame(1, 0, 1, b"\x82"), frame(9, 0, 1, literal("x", "y" * 4000)) * 10)


def hpack_bomb(port, token, deadline):
    block = b"\x82\x87\x84" + b"\x40\x01x" + b"\x7f\xa1\x1e" + b"v" * 4000 + b"\xbe" * 12000
    return send_on_and_on(port, deadline, b"", frame(1, 5, 1, block))


def window_stall(port, token, deadline):
    """Asks for a hundred pages on each of a few connections and opens no window."""
    open_, block = [], get("/local/collections/inbox/objects/?limit=10000", token)
    for _ in range(20):
        s = h2(port, frame(4, 0, 0, struct.pack(">HI", 4, 0)), 4096)
        s.sendall(b"".join(frame(1, 5, 2 * i + 1, block) for i in range(100)))
        open_.append(s)
    time.sleep(max(0, deadline - time.monotonic()))
    return len(open_)


def slow_readers(port, token, deadline):
    open_ = []
    for _ in range(100):
        s = tls(port, "http/1.1", 4096)
        s.sendall(f"GET /local/collections/inbox/objects/?limit=1000 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        open_.append(s)
    time.sleep(max(0, deadline - time.monotonic()))
    return len(open_)


def slow_loris(port, token, deadline):
    open_ = [tls(port, "http/1.1") for _ in range(300)]
    for s in open_:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    while time.monotonic() < deadline:
        for s in open_:
            s.sendall(b"y")
        time.sleep(0.2)
    return len(open_)


def half_requests(port, token, deadline):
    open_ = []
    for i in range(300):
        s = tls(port, "http/1.1")
        s.sendall((b"GET /taxii2/ HTT", f"POST /local/collections/inbox/objects/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 60000000\r\n\r\n{{".encode())[i % 2])
        open_.append(s)
    time.sleep(max(0, deadline - time.monotonic()))
    return len(open_)


def ten_thousand(port, token, deadline):
    """Connections that say nothing, not even hello."""
    open_ = []
    for i in range(10_000):
        s = socket.socket()
        s.setblocking(False)
        s.bind((f"127.0.0.{2 + i % 50}", 0))
        try:
            s.connect(("127.0.0.1", port))
        except BlockingIOError:
            pass
        open_.append(s)
        if i % 250 == 249:
            time.sleep(0.01)
    time.sleep(max(0.5, deadline - time.monotonic()))
    return len(open_)


def large_headers(port, token, deadline):
    n = 0
    while time.monotonic() < deadline:
        try:
            s = tls(port, "http/1.1")
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 1_000_000)
        except OSError:
            pass
        n += 1
    return n


def large_bodies(port, token, deadline):
    """Chunks without end."""
    n = 0
    while time.monotonic() < deadline:
        try:
            s = tls(port, "http/1.1")
            s.sendall(f"POST /local/collections/inbox/objects/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            while time.monotonic() < deadline:
                s.sendall(chunk)
        except OSError:
            n += 1
    return n


def unknown_bodies(port, token, deadline):
    """Large bodies without a login: the 401 comes after the first megabyte, not after the last."""
    n = 0
    while time.monotonic() < deadline:
        try:
            s = tls(port, "http/1.1")
            s.sendall(b"POST /local/collections/inbox/objects/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/taxii+json;version=2.1\r\nContent-Length: 60000000\r\n\r\n")
            s.setblocking(True)
            s.settimeout(2)
            for _ in range(900):
                s.sendall(b" " * 0x10000)
            n += s.recv(4096).startswith(b"HTTP/1.1 401")
        except OSError:
            n += 1
    return n


ATTACKS = {f.__name__: f for f in (rapid_reset, settings_flood, ping_flood, empty_data, continuation, hpack_bomb, window_stall, slow_readers, slow_loris, half_requests,
                                   ten_thousand, large_headers, large_bodies, unknown_bodies)}


# Those whom the node must have disconnected at least once in the time.
THROWN_OUT = {"rapid_reset", "settings_flood", "ping_flood", "empty_data", "continuation", "hpack_bomb", "large_headers", "large_bodies", "unknown_bodies"}


# 64 MiB are taken before a body is too large, and for three seconds more the node reads, so that an honest client can see its answer.
LASTS = {"large_bodies": 10}


def attack(name, port, token, said):
    os.nice(10)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    said.send("ready")
    try:
        said.send(ATTACKS[name](port, token, time.monotonic() + LASTS.get(name, SECONDS)))
    except OSError as e:
        said.send(f"ended by {e}")


# --- the others -----------------------------------------------------------------------------------------------------------------------------------------

class Victim:
    """An honest client with a connection of its own, which it has before the attack and keeps."""

    def __init__(self, node):
        self.node, self.connection = node, node.connect()
        self.p50()

    def p50(self, seconds=1.0):
        took, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            begin = time.perf_counter()
            self.node.ask(self.connection, "GET", "/local/collections/")
            took.append(time.perf_counter() - begin)
            time.sleep(0.001)
        return statistics.median(took) * 1000


def memory_mb(node):
    for line in pathlib.Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def withstand(node, name, victim):
    last = ""
    for _ in range(3):
        before, rss = victim.p50(0.7), memory_mb(node)
        ours, theirs = multiprocessing.Pipe()
        p = multiprocessing.Process(target=attack, args=(name, node.port, node.token, theirs))
        p.start()
        ours.recv()
        time.sleep(0.3)
        during, most = [], rss
        while p.is_alive() and not ours.poll(0):
            during.append(victim.p50(0.3))
            most = max(most, memory_mb(node))
        number = ours.recv()
        p.join()
        before = max(before, victim.p50(0.7))
        p50, grown = statistics.median(during), most - rss
        if name in THROWN_OUT and number == 0:
            fault(f"{name}: nobody was thrown out; is it an attack at all?")
        last = f"{name}: p50 of others {before:.2f} -> {p50:.2f} ms, memory +{grown:.0f} MB, {number}"
        if p50 <= 2 * before and grown <= MEMORY_MB:
            print("  " + last, flush=True)
            return
        print("  again: " + last, flush=True)
    fault(last)


# --- what must be refused -------------------------------------------------------------------------------------------------------------------------------

def raw(node, octets):
    s = tls(node.port, "http/1.1")
    out = b""
    try:
        s.sendall(octets)
        s.settimeout(1.0)
        while True:
            got = s.recv(65536)
            if not got:
                break
            out += got
    except OSError:
        pass
    return out


def statuses(octets):
    return [int(part[:3]) for part in octets.split(b"HTTP/1.1 ")[1:]]


def smuggling(node):
    auth = f"Host: a\r\nAuthorization: Bearer {node.token}\r\n".encode()
    inner = b"GET /smuggled HTTP/1.1\r\n" + auth + b"\r\n"
    post = b"POST /local/collections/inbox/objects/ HTTP/1.1\r\n" + auth
    cases = {
        "CL and TE": post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "TE and CL": post + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
        "two lengths": post + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + inner,
        "two equal lengths": post + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx" + inner,
        "a list of lengths": post + b"Content-Length: 0, 0\r\n\r\n" + inner,
        "+0": post + b"Content-Length: +0\r\n\r\n" + inner,
        "-1": post + b"Content-Length: -1\r\n\r\n" + inner,
        "0x0": post + b"Content-Length: 0x0\r\n\r\n" + inner,
        "length too large to count": post + b"Content-Length: 18446744073709551616\r\n\r\n" + inner,
        "folded header": post + b"X: a\r\n Content-Length: 5\r\n\r\n" + inner,
        "bare LF": post.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n" + inner,
        "bare LF in a header": post + b"X: a\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n" + inner,
        "bare CR": post + b"X: a\rContent-Length: 5\r\n\r\n" + inner,
        "blank before the colon": post + b"Content-Length : 0\r\n\r\n" + inner,
        "blank line start": post + b" Content-Length: 0\r\n\r\n" + inner,
        "NUL in a value": post + b"X: a\0b\r\n\r\n" + inner,
        "chunked twice": post + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + inner,
        "chunked, identity": post + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + inner,
        "two codings": post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + inner,
        "xchunked": post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
        "TE in HTTP/1.0": post.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "chunk size 0x5": post + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + inner,
        "chunk size with blank": post + b"Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n" + inner,
        "negative chunk": post + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n" + inner,
        "chunk size too large to count": post + b"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n" + inner,
        "chunk longer than said": post + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n" + inner,
        "chunk without CRLF": post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n" + inner,
        "two hosts": b"GET /taxii2/ HTTP/1.1\r\nHost: b\r\n" + auth + b"\r\n" + inner,
        "no host": b"GET /taxii2/ HTTP/1.1\r\n\r\n" + inner,
        "HTTP/2 preface": PREFACE + inner,
        "HTTP/9.9": b"GET / HTTP/9.9\r\n" + auth + b"\r\n" + inner,
    }
    for what, octets in cases.items():
        answers = statuses(raw(node, octets))
        # One refusal and the end; or nothing. Never a second answer: that would be the inner request's.
        if len(answers) > 1 or any(s < 400 for s in answers):
            fault(f"smuggling, {what}: answered {answers}")
    print(f"  smuggling: {len(cases)} tried", flush=True)


def paths(node):
    auth = f"Host: a\r\nConnection: close\r\nAuthorization: Bearer {node.token}\r\nAccept: {nodes.MEDIA}\r\n\r\n"
    tricks = ["/../taxii2/", "/local/../taxii2/", "/local/./collections/", "//taxii2/", "/taxii2//", "//local/collections/", "/local//collections/", "/local/%2e%2e/taxii2/", "/local/..%2ftaxii2/",
              "/local%2fcollections/", "/local/collections%2f", "/local/collections/..%2f..%2fapi/v1/status", "/local/collections/inbox%00/", "/local/collections/inbox/objects/%2e%2e/",
              "/ledger/../keys/node.pem", "/ledger/node/../../keys/node.pem", "/ledger/node/..%2f..%2fkeys%2fnode.pem", "/ledger/node/%2e%2e/%2e%2e/keys/node.pem", "/ledger//etc/passwd",
              "/ledger/node//etc/passwd", "/ledger/node/tile/0/../../../keys/node.pem", "/ledger/node/checkpoint%00.pem", "/LOCAL/collections/", "/local\\collections\\", "/local/collections/;a=b/", "/taxii2;/",
              "/local/collections/inbox/../../../api/v1/status/", "/api/v1/../../metrics", "/%61pi/v1/status", "/local/collections/%", "/local/collections/%zz/", "/local/collections/inbox/objects/%ff/"]
    for path in tricks:
        for octets in (f"GET {path} HTTP/1.1\r\n{auth}", f"GET https://a{path} HTTP/1.1\r\n{auth}"):
            out = raw(node, octets.encode())
            answers = statuses(out)
            if len(answers) != 1 or not 400 <= answers[0] < 500:
                fault(f"path {path}: answered {answers}")
            if b"PRIVATE KEY" in out or b"root:" in out:
                fault(f"path {path} gave a file away")
    for bad in (b"GET /taxii2/\0 HTTP/1.1\r\n", b"GET /taxii2/ x HTTP/1.1\r\n", b"GET taxii2/ HTTP/1.1\r\n", b"GET /taxii2/#x HTTP/1.1\r\n", b"GET /taxii2/\xff HTTP/1.1\r\n", b"GET  /taxii2/ HTTP/1.1\r\n"):
        answers = statuses(raw(node, bad + auth.encode()))
        if answers not in ([400], []):
            fault(f"target {bad!r}: answered {answers}")
    print(f"  paths: {len(tricks)} tried, twice", flush=True)


def cursors(node, rng):
    c = node.connect()
    base = "/local/collections/inbox/objects/"
    cursor = node.ask(c, "GET", f"{base}?limit=3")["next"]

    def status(path):
        c.request("GET", path, None, {"Authorization": f"Bearer {node.token}", "Accept": nodes.MEDIA})
        answer = c.getresponse()
        answer.read()
        return answer.status
    if status(f"{base}?limit=3&next={cursor}") != 200:
        fault("a cursor as it was given is refused")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    tried = 0
    for at in range(len(cursor)):
        other = rng.choice([x for x in alphabet if x != cursor[at]])
        got = status(f"{base}?limit=3&next={cursor[:at]}{other}{cursor[at + 1:]}")
        # The last sign of a base64 text may hold bits that mean nothing.
        if got != 400 and not (got == 200 and at == len(cursor) - 1):
            fault(f"a cursor with sign {at} changed: {got}")
        tried += 1
    for what, path in {"cut": f"{base}?next={cursor[:-4]}", "longer": f"{base}?next={cursor}AAAA", "empty": f"{base}?next=", "twice": f"{base}?next={cursor}&next={cursor}",
                       "of the objects at the manifest": f"/local/collections/inbox/manifest/?next={cursor}", "of another collection": f"/local/collections/sightings/objects/?next={cursor}",
                       "with another filter": f"{base}?next={cursor}&match[type]=malware", "huge": f"{base}?next={'A' * 8000}"}.items():
        got = status(path)
        if got != 400 and not (what == "empty" and got == 200):
            fault(f"a cursor {what}: {got}")
    print(f"  cursors: {tried} changed", flush=True)


def main():
    rng = random.Random(int(os.environ.get("ENTENTE_ATTACK_SEED", "7")))
    with tempfile.TemporaryDirectory(prefix="entente-attack-") as folder:
        node = nodes.Node(folder + "/node", "JP")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        node.start()
        try:
            c = node.connect()
            for _ in range(2):
                objects = []
                for _ in range(1000):
                    i = uuid.UUID(int=rng.getrandbits(128), version=4)
                    objects.append({"type": "indicator", "spec_version": "2.1", "id": f"indicator--{i}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
                                    "pattern": f"[domain-name:value = '{i}.example']", "valid_from": "2026-01-01T00:00:00Z", "description": "x" * 400, "object_marking_refs": [nodes.GREEN]})
                node.ask(c, "POST", "/local/collections/inbox/objects/", json.dumps({"objects": objects}))
            if not args.only or args.only == "refusals":
                smuggling(node)
                paths(node)
                cursors(node, rng)
            victim = Victim(node)
            for name in ATTACKS:
                if not args.only or args.only == name:
                    if name == "ten_thousand" and hard < 11_000:
                        print(f"  SKIPPED {name}: this machine lets a process open {hard} files only", flush=True)
                        continue
                    withstand(node, name, victim)
            if node.process.poll() is not None:
                fault("the node has died")
            # An attack leaves nothing behind for long: what is open now is the victim and the connection used here.
            until, now = time.monotonic() + 20, None
            while time.monotonic() < until:
                with_metrics = node.connect()
                with_metrics.request("GET", "/metrics")
                text = with_metrics.getresponse().read().decode()
                now = int(next(line.split()[-1] for line in text.splitlines() if line.startswith("entente_http_connections ")))
                if now <= 4:
                    break
                time.sleep(0.3)
            if now > 4:
                fault(f"{now} connections are still open after all attackers have left")
        finally:
            node.process.terminate()
            node.process.wait(20)
    print("attacks:", "withstood" if not FAULTS else f"{len(FAULTS)} fault(s)")
    return 1 if FAULTS else 0


if __name__ == "__main__":
    sys.exit(main())
