#!/usr/bin/env python3
"""JA3 and JA4 of real clients (openssl s_client, curl, Python's ssl, and aioquic where it is installed), over TCP in segments of any size and over QUIC, as `entente hunt` finds them in a capture.
What each must be is computed here from the ClientHello, by an implementation written from the public descriptions alone and checked against their published vectors.

    tls_fingerprint_test.py ENTENTE
"""
import hashlib, json, pathlib, random, shutil, socket, ssl, struct, subprocess, sys, tempfile, threading

ENTENTE = sys.argv[1]
FAILED = []
RANDOM = random.Random(7)


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


# --- the oracle


def grease(n):
    return n & 0x0F0F == 0x0A0A and n >> 8 == n & 255


class Hello:
    """A ClientHello's body, behind the four octets of the handshake message."""

    def __init__(self, body):
        self.version = struct.unpack_from("!H", body)[0]
        at = 34
        at += 1 + body[at]
        size = struct.unpack_from("!H", body, at)[0]
        self.ciphers = list(struct.unpack_from(f"!{size // 2}H", body, at + 2))
        at += 2 + size
        at += 1 + body[at]
        self.extensions = []
        end = at + 2 + struct.unpack_from("!H", body, at)[0] if at < len(body) else at
        at += 2
        while at < end:
            kind, size = struct.unpack_from("!HH", body, at)
            self.extensions.append((kind, body[at + 4:at + 4 + size]))
            at += 4 + size

    def data(self, kind):
        return next((d for k, d in self.extensions if k == kind), None)

    def numbers(self, kind, width):
        d = self.data(kind)
        return [] if d is None else list(struct.unpack(f"!{(len(d) - width) // 2}H", d[width:]))

    def ja3_text(self):
        formats = self.data(11)
        parts = [[self.version], [c for c in self.ciphers if not grease(c)], [k for k, _ in self.extensions if not grease(k)],
                 [g for g in self.numbers(10, 2) if not grease(g)], list(formats[1:]) if formats else []]
        return ",".join("-".join(map(str, p)) for p in parts)

    def ja3(self):
        return hashlib.md5(self.ja3_text().encode()).hexdigest()

    def ja4(self, protocol):
        ciphers = [c for c in self.ciphers if not grease(c)]
        kinds = [k for k, _ in self.extensions if not grease(k)]
        version = max([v for v in self.numbers(43, 1) if not grease(v)], default=self.version)
        ends = "00"
        alpn = self.data(16)
        if alpn and len(alpn) > 3:
            first = alpn[3:3 + alpn[2]]
            plain = bytes([first[0], first[-1]]).isalnum()
            ends = chr(first[0]) + chr(first[-1]) if plain else first.hex()[0] + first.hex()[-1]
        names = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3"}
        a = f"{protocol}{names.get(version, '00')}{'d' if 0 in kinds else 'i'}{min(len(ciphers), 99):02}{min(len(kinds), 99):02}{ends}"

        def short(text):
            return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12

        b = ",".join(sorted(f"{c:04x}" for c in ciphers))
        c = ",".join(sorted(f"{k:04x}" for k in kinds if k not in (0, 16)))
        signatures = ",".join(f"{s:04x}" for s in self.numbers(13, 2) if not grease(s))
        return f"{a}_{short(b)}_{short(c + ('_' + signatures if signatures else ''))}"


def published():
    h = Hello.__new__(Hello)
    h.version = 769
    h.ciphers = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4]
    h.extensions = [(0, b""), (10, struct.pack("!HHHH", 6, 23, 24, 25)), (11, b"\1\0")]
    check("JA3's published vector", h.ja3() == "ada70206e40642a3e4461f35503241d5", h.ja3_text())
    h.version = 0x0303
    h.ciphers = [0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x9C, 0x9D, 0x2F, 0x35]
    h.extensions = [(k, b"") for k in (0x1B, 0, 0x33, 0x4469, 0x17, 0x2D, 5, 0x23, 0x12, 0xFF01, 0xB, 0xA, 0x15)]
    h.extensions += [(16, b"\0\x0c\x02h2\x08http/1.1"), (43, b"\4\3\4\3\3"), (13, struct.pack("!H8H", 16, 0x403, 0x804, 0x401, 0x503, 0x805, 0x501, 0x806, 0x601))]
    check("JA4's published vector", h.ja4("t") == "t13d1516h2_8daaf6152771_e5627efa2ab1", h.ja4("t"))


# --- what clients send


def first_flight(run):
    """The octets that a client sends before anybody answers: whole records of its ClientHello."""
    got = b""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20)
        client = threading.Thread(target=run, args=(listener.getsockname()[1],), daemon=True)
        client.start()
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            while len(got) < 5 or len(got) < 5 + struct.unpack_from("!H", got, 3)[0]:
                piece = connection.recv(65536)
                if not piece:
                    break
                got += piece
        client.join(20)
    return got


def program(*command):
    def run(port):
        subprocess.run([c.replace("PORT", str(port)) for c in command], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    return run


def python_client(name, alpn=None, most=None, ciphers=None):
    def run(port):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(alpn)
        if most:
            context.maximum_version = most
        if ciphers:
            context.set_ciphers(ciphers)
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
                context.wrap_socket(s, server_hostname=name).close()
        except (OSError, ssl.SSLError):
            pass  # nobody answers
    return run


CLIENTS = {
    "openssl": program("openssl", "s_client", "-connect", "127.0.0.1:PORT", "-servername", "a.example"),
    "openssl without a name": program("openssl", "s_client", "-connect", "127.0.0.1:PORT", "-noservername"),
    "openssl, TLS 1.2": program("openssl", "s_client", "-connect", "127.0.0.1:PORT", "-servername", "a.example", "-tls1_2"),
    "openssl, ALPN": program("openssl", "s_client", "-connect", "127.0.0.1:PORT", "-servername", "a.example", "-alpn", "h2,http/1.1"),
    "openssl, odd ALPN": program("openssl", "s_client", "-connect", "127.0.0.1:PORT", "-alpn", "-x-"),
    "openssl, few ciphers": program("openssl", "s_client", "-connect", "127.0.0.1:PORT", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-groups", "P-256:X25519"),
    "curl": program("curl", "-sk", "--max-time", "10", "--connect-to", "b.example:443:127.0.0.1:PORT", "https://b.example/"),
    "curl, HTTP/1.1": program("curl", "-sk", "--http1.1", "--max-time", "10", "--connect-to", "b.example:443:127.0.0.1:PORT", "https://b.example/"),
    "curl, TLS 1.2, an address": program("curl", "-sk", "--tls-max", "1.2", "--max-time", "10", "https://127.0.0.1:PORT/"),
    "python": python_client("c.example"),
    "python, ALPN": python_client("c.example", alpn=["acme-tls/1"]),
    "python, TLS 1.2": python_client("c.example", most=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE+AESGCM"),
}


def quic_flights():
    """(ClientHello, datagrams) of aioquic; none where it is not installed."""
    try:
        from aioquic import tls
        from aioquic.quic.configuration import QuicConfiguration
        from aioquic.quic.connection import QuicConnection
    except ImportError:
        print("note: aioquic is not installed (tools/setup test): no QUIC here", flush=True)
        return []
    out, kept = [], []
    push = tls.push_client_hello

    def keep(buffer, hello):
        begin = buffer.tell()
        push(buffer, hello)
        kept.append(buffer.data_slice(begin, buffer.tell()))

    tls.push_client_hello = keep
    for name, protocols in (("q.example", ["h3"]), ("long-" + "x" * 50 + ".example", ["hq-interop"] + [f"proto-{i}-{'y' * 40}" for i in range(40)])):
        client = QuicConnection(configuration=QuicConfiguration(is_client=True, server_name=name, alpn_protocols=protocols))
        client.connect(("192.0.2.2", 443), now=0.0)
        out.append((kept.pop(), [d for d, _ in client.datagrams_to_send(now=0.0)]))
    tls.push_client_hello = push
    return out


# --- a capture


def ip(protocol, n, payload):
    return b"\x02" * 12 + b"\x08\x00" + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, bytes([10, 0, n >> 8, n & 255]), bytes([192, 0, 2, 2])) + payload


def tcp(n, sequence, flags, payload):
    return ip(6, n, struct.pack("!HHIIBBHHI", 40000, 443, sequence, 0, 0x60, flags, 65535, 0, 0)[:20] + b"\1\1\1\0" + payload)


def main(folder):
    published()
    flights = []  # (protocol, Hello, frames)
    for name, run in CLIENTS.items():
        if not shutil.which(name.split()[0].rstrip(",")) and not name.startswith("python"):
            print(f"note: no {name}", flush=True)
            continue
        octets = first_flight(run)
        if len(octets) < 9 or octets[0] != 22 or octets[5] != 1:
            check(f"{name} sends a ClientHello", False, octets[:16])
            continue
        hello = Hello(octets[9:9 + int.from_bytes(octets[6:9], "big")])
        for _ in range(4):  # in one piece, and in pieces of any size and order
            n = len(flights)
            pieces, at = [], 0
            while at < len(octets):
                size = RANDOM.randint(1, 200) if n % 4 else len(octets)
                pieces.append((at, octets[at:at + size]))
                at += size
            if n % 4 == 3:
                RANDOM.shuffle(pieces)
            frames = [tcp(n, 1000, 2, b"")] + [tcp(n, (1001 + at) & 0xFFFFFFFF, 24, p) for at, p in pieces[:15]] if n % 4 == 3 and len(pieces) <= 15 else [tcp(n, 1000, 2, b"")] + [tcp(n, 1001 + at, 24, p) for at, p in sorted(pieces)]
            flights.append(("t", name, hello, frames))
    for message, datagrams in quic_flights():
        n = len(flights)
        flights.append(("q", "aioquic", Hello(message[4:]), [ip(17, n, struct.pack("!HHHH", 40000, 443, 8 + len(d), 0) + d) for d in datagrams]))

    number, expected, values = 0, {}, set()
    with open(folder / "c.pcap", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for protocol, name, hello, frames in flights:
            for frame in frames:
                number += 1
                f.write(struct.pack("<IIII", 1_700_000_000 + number, 0, len(frame), len(frame)) + frame)
            # Told with the packet that makes the message whole, which depends on the order of the pieces: one of these.
            for value in (hello.ja3(), hello.ja4(protocol)):
                values.add(value)
                expected.setdefault(value, []).append((name, number - len(frames) + 1, number))

    bogus = [hashlib.md5(str(i).encode()).hexdigest() for i in range(2000)]
    indicators = [{"type": "indicator", "id": f"indicator--00000000-0000-4000-8000-{i:012}", "pattern_type": "stix", "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
                   "spec_version": "2.1", "valid_from": "2026-01-01T00:00:00Z", "pattern": f"[network-traffic:extensions.'tls-ext'.{'ja4' if '_' in v else 'ja3'} = '{v}']"} for i, v in enumerate(sorted(values) + bogus)]
    (folder / "i.json").write_text("\n".join(map(json.dumps, indicators)))
    out = subprocess.run([ENTENTE, "hunt", "--indicators", folder / "i.json", folder / "c.pcap"], capture_output=True, text=True, timeout=60)
    check("the hunt ran and found something", out.returncode == 0, out.stderr)
    found = {}
    for line in out.stdout.splitlines():
        m = json.loads(line)
        check("its field says which it is", m["field"] == ("tls.ja4" if "_" in m["value"] else "tls.ja3") and m["type"] == "network-traffic", line) if m["field"] not in ("tls.ja3", "tls.ja4") else None
        found.setdefault(m["value"], []).append(m["record"])
    for value, places in sorted(expected.items()):
        hits = found.pop(value, [])
        good = len(hits) == len(places) and all(any(first <= h <= last for h in hits) for _, first, last in places)
        check(f"{value} of {', '.join(sorted({n for n, _, _ in places}))}: {len(places)} times", good, f"found at {hits}, expected in {places}")
    check("and no other", not found, found)
    kinds = len({v for v in values if "_" in v})
    check(f"the clients differ ({kinds} JA4)", kinds >= 8, values)
    return 1 if FAILED else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="entente_tls_") as f:
        code = main(pathlib.Path(f))
    print(f"{len(FAILED)} WRONG" if FAILED else "all right", flush=True)
    sys.exit(code)
