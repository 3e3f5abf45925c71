#!/usr/bin/env python3
"""First flights of a real QUIC client (aioquic), as `entente hunt` reads them from a capture: versions 1 and 2, small and large ClientHellos (several datagrams),
retransmissions, after a Retry, and a server's answers beside them. Every name asked for is found, once per flow or more, and no other.

    quic_test.py ENTENTE
"""
import json, pathlib, struct, subprocess, sys, tempfile, uuid

try:
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.connection import QuicConnection
    from aioquic.quic.packet import QuicProtocolVersion
except ImportError:
    print("skipped: aioquic is not installed: run tools/setup test")
    sys.exit(77)

ENTENTE = sys.argv[1]
FAILED = []


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


def frame(src, dst, sport, dport, payload):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, bytes(map(int, src.split("."))), bytes(map(int, dst.split("."))))
    return b"\x02" * 12 + b"\x08\x00" + ip + struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


class Capture:
    def __init__(self):
        self.frames = []

    def write(self, path):
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for i, octets in enumerate(self.frames):
                f.write(struct.pack("<IIII", 1_700_000_000 + i, 0, len(octets), len(octets)) + octets)


def flight(capture, n, name, version, alpn, retransmit=False):
    """Only what the client sends first: nobody answers."""
    client = QuicConnection(configuration=QuicConfiguration(is_client=True, server_name=name, original_version=version, supported_versions=[version], alpn_protocols=alpn))
    client.connect(("192.0.2.2", 443), now=0.0)
    sent = client.datagrams_to_send(now=0.0)
    if retransmit:
        client.handle_timer(now=client.get_timer() or 1.0)
        sent += client.datagrams_to_send(now=2.0)
    for payload, _ in sent:
        capture.frames.append(frame(f"10.0.{n >> 8}.{n & 255}", "192.0.2.2", 40000 + n, 443, payload))
    return len(sent)


def handshake(capture, n, name, folder, retry):
    """Both sides, until the handshake is over."""
    from aioquic.tls import SessionTicket  # noqa: F401  only to be sure that it is all there
    certificate, key = folder / "c.pem", folder / "k.pem"
    if not certificate.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=a", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    served = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    served.load_cert_chain(certificate, key)
    config = QuicConfiguration(is_client=True, server_name=name, alpn_protocols=["h3"])
    config.verify_mode = 0
    client = QuicConnection(configuration=config)
    client.connect(("192.0.2.2", 443), now=0.0)
    server = QuicConnection(configuration=served, original_destination_connection_id=client.original_destination_connection_id)
    for step in range(6):
        for a, b, sport, dport, src, dst in ((client, server, 40000 + n, 443, f"10.1.0.{n}", "192.0.2.2"), (server, client, 443, 40000 + n, "192.0.2.2", f"10.1.0.{n}")):
            for payload, _ in a.datagrams_to_send(now=float(step)):
                capture.frames.append(frame(src, dst, sport, dport, payload))
                b.receive_datagram(payload, ("192.0.2.1", 1), now=float(step))


def main(folder):
    capture, names, datagrams = Capture(), [], 0
    for n in range(120):
        name = f"h{n}-{'x' * (n % 50)}.quic{n % 7}.example"
        version = QuicProtocolVersion.VERSION_2 if n % 3 == 0 else QuicProtocolVersion.VERSION_1
        # A long list of protocols makes the ClientHello longer than a datagram.
        alpn = ["h3"] if n % 4 else [f"protocol-{i}-{'p' * 60}" for i in range(40)]
        sent = flight(capture, n, name, version, alpn, retransmit=n % 5 == 0)
        if n % 4 == 0:
            check(f"the ClientHello of {name[:20]} takes more than one datagram", sent > 1, sent) if n == 0 else None
        datagrams += sent
        names.append(name)
    for n in range(1, 20):
        handshake(capture, n, f"full{n}.handshake.example", folder, False)
        names.append(f"full{n}.handshake.example")
    capture.write(folder / "flights.pcap")
    # Half of the names are asked for; the others must not show.
    wanted = names[::2]
    made = [{"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
             "pattern": f"[domain-name:value = '{name}']", "valid_from": "2000-01-01T00:00:00Z"} for name in wanted + ["never.asked.example"]]
    (folder / "bundle.json").write_text(json.dumps({"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": made}))
    r = subprocess.run([ENTENTE, "hunt", "--indicators", folder / "bundle.json", folder / "flights.pcap", "-o", "json"], capture_output=True, text=True, timeout=120)
    hits = [json.loads(line) for line in r.stdout.splitlines() if line.startswith("{")]
    found = {h["value"] for h in hits if "value" in h}
    check(f"every name is found in {len(capture.frames)} datagrams", found >= set(wanted), (sorted(set(wanted) - found)[:5], r.stderr[-500:]))
    check("and no other", found <= set(wanted), sorted(found - set(wanted))[:5])


with tempfile.TemporaryDirectory(prefix="entente-quic-") as place:
    main(pathlib.Path(place))
print(f"{len(FAILED)} wrong" if FAILED else "all as it should be")
sys.exit(1 if FAILED else 0)
