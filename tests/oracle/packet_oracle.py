"""The independent matcher's part for captures and dnstap files: octets to (field, value), and values to indicators (hunt_oracle.Indicators).

Written from the RFCs and public descriptions of the formats, as far as the generator of tests writes them: pcap of Ethernet with IPv4 and IPv6, DNS over UDP, a
ClientHello or a request in one segment of TCP; Frame Streams with dnstap's protocol buffers. JA3 and JA4 are computed here.
"""
import hashlib
import ipaddress
import struct


def grease(n):
    return n & 0x0F0F == 0x0A0A and n >> 8 == n & 255


def fingerprints(hello):
    """(JA3, JA4 over TCP, server name) of a ClientHello: the handshake's body, without its four octets of type and length."""
    version = struct.unpack_from(">H", hello)[0]
    at = 34
    at += 1 + hello[at]
    size = struct.unpack_from(">H", hello, at)[0]
    ciphers = [c for c in struct.unpack_from(f">{size // 2}H", hello, at + 2) if not grease(c)]
    at += 2 + size
    at += 1 + hello[at]
    end = at + 2 + struct.unpack_from(">H", hello, at)[0]
    at += 2
    extensions = []
    while at < end:
        kind, size = struct.unpack_from(">HH", hello, at)
        extensions.append((kind, hello[at + 4:at + 4 + size]))
        at += 4 + size
    extensions = [(k, d) for k, d in extensions if not grease(k)]
    of = dict(extensions)

    def numbers(kind, before):
        data = of.get(kind, b"")[before:]
        return [n for (n,) in struct.iter_unpack(">H", data) if not grease(n)]

    points = list(of.get(11, b"\0")[1:])
    ja3 = ",".join("-".join(map(str, part)) for part in ([version], ciphers, [k for k, _ in extensions], numbers(10, 2), points))
    best = max(numbers(43, 1), default=version)
    alpn = of.get(16, b"")
    first = alpn[3:3 + alpn[2]].decode() if len(alpn) > 3 else ""
    head = (f"t{ {0x304: '13', 0x303: '12'}[best]}{'d' if 0 in of else 'i'}{min(len(ciphers), 99):02}{min(len(extensions), 99):02}"
            + (first[0] + first[-1] if first else "00"))

    def short(text):
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    kinds = ",".join(sorted(f"{k:04x}" for k, _ in extensions if k not in (0, 16)))
    signatures = ",".join(f"{s:04x}" for s in numbers(13, 2))
    ja4 = f"{head}_{short(','.join(sorted(f'{c:04x}' for c in ciphers)))}_{short(kinds + ('_' + signatures if signatures else ''))}"
    name = of[0][5:].decode() if 0 in of else ""
    return hashlib.md5(ja3.encode()).hexdigest(), ja4, name


def dns_name(message, at):
    labels, end = [], None
    while message[at]:
        if message[at] >= 0xC0:
            end = at + 2 if end is None else end
            at = struct.unpack_from(">H", message, at)[0] & 0x3FFF
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    return ".".join(labels), at + 1 if end is None else end


def dns_values(message, question, cname, answer):
    """(field, what, value) of the questions and answers."""
    questions, answers = struct.unpack_from(">HH", message, 4)
    at = 12
    for _ in range(questions):
        name, at = dns_name(message, at)
        yield question, "name", name
        at += 4
    for _ in range(answers):
        _, at = dns_name(message, at)
        kind, _, _, size = struct.unpack_from(">HHIH", message, at)
        at += 10
        if kind == 5:
            yield cname, "name", dns_name(message, at)[0]
        if kind in (1, 28):
            yield answer, "address", message[at:at + size]
        at += size


def tcp_values(payload):
    if payload[:1] == b"\x16":
        ja3, ja4, name = fingerprints(payload[9:])
        yield "tls.ja3", "ja3", ja3
        yield "tls.ja4", "ja4", ja4
        if name:
            yield "tls.sni", "name", name
    elif payload[:4] == b"GET ":
        lines = payload.decode().split("\r\n")
        target = lines[0].split(" ")[1]
        host = next(line[6:] for line in lines if line.startswith("Host: "))
        yield "http.host", "host", host.partition(":")[0]
        yield "http.url", "request", (host, target)


def pcap_records(data):
    at = 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        packet = data[at + 16:at + 16 + size]
        at += 16 + size
        six = packet[12:14] == b"\x86\xdd"
        src, dst, protocol, inner = (packet[22:38], packet[38:54], packet[20], 54) if six else (packet[26:30], packet[30:34], packet[23], 34)
        values = [("ip.src", "address", src), ("ip.dst", "address", dst)]
        sport, dport = struct.unpack_from(">HH", packet, inner)
        if protocol == 17 and 53 in (sport, dport):
            values += dns_values(packet[inner + 8:], "dns.query", "dns.cname", "dns.answer")
        if protocol == 6:
            values += tcp_values(packet[inner + 20:])
        yield values


def protobuf(data):
    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return value, at
    at = 0
    while at < len(data):
        tag, at = varint(at)
        if tag & 7 == 0:
            value, at = varint(at)
        elif tag & 7 == 5:
            value, at = data[at:at + 4], at + 4
        else:
            size, at = varint(at)
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def dnstap_records(data):
    at = 0
    while at < len(data):
        size = struct.unpack_from(">I", data, at)[0]
        at += 4
        if size == 0:  # a control frame
            at += 4 + struct.unpack_from(">I", data, at)[0]
            continue
        message = dict(protobuf(dict(protobuf(data[at:at + size]))[14]))
        at += size
        values = [(field, "address", message[n]) for n, field in ((4, "client"), (5, "server")) if n in message]
        yield values + list(dns_values(message[14] if 14 in message else message[10], "query", "answer", "answer"))


def matches(form, path, known, search):
    """(record, {(id, field)}). `search`: hunt_oracle.Searcher, for requests whose host and path stand apart."""
    import hunt_oracle
    with open(path, "rb") as f:
        data = f.read()
    cache = {}

    def ids(what, value):
        if what == "address":
            address = ipaddress.ip_address(value)
            return known.of_address(getattr(address, "ipv4_mapped", None) or address)
        if what == "request":
            return search.joined(*value)
        if what == "host" and hunt_oracle.address_of(value):
            return known.of_address(hunt_oracle.address_of(value))
        if what in ("name", "host"):
            name = hunt_oracle.name_of(value)
            return known.of_name(name) if name else ()
        return known.exact.get(("ja4" if what == "ja4" else "digest", value), ())

    for number, values in enumerate((pcap_records if form == "pcap" else dnstap_records)(data), 1):
        found = set()
        for field, what, value in values:
            key = what, value
            if key not in cache:
                if len(cache) > 1_000_000:
                    cache.clear()
                cache[key] = frozenset(ids(what, value))
            found.update((i, field) for i in cache[key])
        yield number, found
