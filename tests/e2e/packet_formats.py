"""Captures and dnstap files with known hits, as the logs of hunt_formats.py: octets of one record after the other, each with the matches that it must give."""
import struct

from hunt_formats import FlowFiller
from hunt_world import client_hello, near, written

NAMES = ["name", "tree", "below", "wide"]


class PacketFiller(FlowFiller):
    def label_name(self, field):
        """A name as it goes over the wire: in A-labels, without its last dot."""
        self.at += 1
        r = self.r
        if self.at == self.hit:
            i = self.pick(NAMES)
            self.truth.append((i.id, field))
            return written(r, i, beyond=False).rstrip(".")
        if self.at == self.near:
            return near(r, self.pick(["name", "tree", "below"]), self.networks).rstrip(".")
        return self.common.name(r)

    def hello(self, server_name):
        """A ClientHello whose fingerprint may be an indicator."""
        self.at += 1
        r = self.r
        if self.at in (self.hit, self.near):
            i = self.pick(["ja3", "ja4"])
            ciphers, groups, alpn = self.world.hellos[i.value]
            if self.at == self.near:
                ciphers = [*ciphers, 0x00FF]
            else:
                self.truth.append((i.id, "tls." + i.kind))
                if i.kind == "ja4":  # the order of ciphers is JA3's alone
                    ciphers = r.sample(ciphers, len(ciphers))
        else:
            ciphers, groups, alpn = r.sample(range(0xC100, 0xC1FF), r.randint(4, 9)), [29, 23], "h2"
        return client_hello(ciphers, groups, alpn, server_name)


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in name.split(".")) + b"\0"


def dns_answer(f, r, query_field, cname_field, answer_field):
    """A response: a question, an alias, an address of either family."""
    question = wire(f.label_name(query_field))
    alias = wire(f.label_name(cname_field))
    six = r.random() < 0.3
    address = f.octets(answer_field, six)
    return (struct.pack(">HHHHHH", r.getrandbits(16), 0x8180, 1, 2, 0, 0) + question + struct.pack(">HH", 28 if six else 1, 1)
            + b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, len(alias)) + alias + b"\xc0\x0c" + struct.pack(">HHIH", 28 if six else 1, 1, 60, len(address)) + address)


def ip_packet(src, dst, protocol, payload):
    if len(src) == 16:
        return b"\2\0\0\0\0\1\2\0\0\0\0\2\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + src + dst + payload
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + src + dst + payload


def pcap(f, n):
    r = f.r
    for k in range(n):
        port, x = 1024 + k % 64_000, r.random()
        f.begin(5)
        six = r.random() < 0.25
        src, dst = f.octets("ip.src", six), f.octets("ip.dst", six)
        if x < 0.4:
            message = dns_answer(f, r, "dns.query", "dns.cname", "dns.answer")
            packet = ip_packet(src, dst, 17, struct.pack(">HHHH", 53, port, 8 + len(message), 0) + message)
        else:
            if x < 0.75:
                name = f.label_name("tls.sni")
                hello = f.hello(name)
                hello = b"\1" + len(hello).to_bytes(3, "big") + hello
                payload, to = b"\x16\3\1" + struct.pack(">H", len(hello)) + hello, 443
            else:
                host, uri, other = f.request("http.host", "http.url")
                host = host.rstrip(".")
                payload, to = f"GET {uri} HTTP/1.1\r\nHost: {host}{':' + other if other else ''}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n".encode(), 80
            packet = ip_packet(src, dst, 6, struct.pack(">HHIIBBHHH", port, to, 1, 1, 0x50, 0x18, 65535, 0, 0) + payload)
        head = b"" if k else struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
        yield head + struct.pack("<IIII", 1767225600 + k // 1000, k % 1000 * 1000, len(packet), len(packet)) + packet, [f.truth]


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def dnstap(f, n):
    """https://dnstap.info, https://github.com/farsightsec/fstrm: a file begins with START and ends with STOP."""
    r = f.r
    content = b"protobuf:dnstap.Dnstap"

    def control(kind, more=b""):
        return struct.pack(">III", 0, 4 + len(more), kind) + more

    for k in range(n):
        f.begin(5)
        six = r.random() < 0.25
        client, server = f.octets("client", six), f.octets("server", six)
        message = (field(1, 6) + field(2, 2 if six else 1) + field(3, 1) + field(4, client) + field(5, server) + field(6, 1024 + k % 60_000) + field(7, 53)
                   + field(12, 1767225600 + k // 1000) + field(14, dns_answer(f, r, "query", "answer", "answer")))
        frame = field(1, b"ns1") + field(14, message) + field(15, 1)
        begin = b"" if k else control(2, struct.pack(">II", 1, len(content)) + content)
        yield begin + struct.pack(">I", len(frame)) + frame + (control(3) if k == n - 1 else b""), [f.truth]


PACKET_FORMATS = {
    "packets.pcap": ("pcap", PacketFiller, pcap),
    "queries.dnstap": ("dnstap", PacketFiller, dnstap),
}
