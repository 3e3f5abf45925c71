"""Logs and flow records of each form with known hits (hunt_test.py): each writer yields (what is written, the matches that it must give) record by
record. What is common is written in f-strings, since millions of them are; what is planted goes through every way of escaping that the form has."""
import ipaddress
import json
import struct

from hunt_world import LETTERS, embedded, hex_text, near, written

ADDRESS, NAME, DIGEST = ["v4", "v6", "cidr4", "cidr6"], ["name", "tree", "below", "wide"], ["md5", "sha1", "sha256", "sha512"]
WORDS = ADDRESS + NAME + DIGEST + ["url", "mail", "ja3", "ja4"]


class Filler:
    """The slots of one record, in the order in which they are written: one of them shows an indicator in `rate` of all records, and one in as many
    others shows what is almost one."""

    def __init__(self, r, world, common, rate):
        self.r, self.world, self.common, self.rate = r, world, common, rate
        self.networks = {4: [i.value for i in world.by_kind["cidr4"]], 6: [i.value for i in world.by_kind["cidr6"]]}
        self.truth, self.hit, self.near, self.at = [], -1, -1, 0

    def begin(self, slots):
        x = self.r.random()
        self.at = -1
        self.hit = self.r.randrange(slots) if x < self.rate else -1
        self.near = self.r.randrange(slots) if self.rate <= x < 2 * self.rate else -1
        self.truth = []

    def pick(self, kinds):
        return self.r.choice(self.world.by_kind[self.r.choice(kinds)])

    # Each gives the text of the slot, and quotes it (self.quote) as the form wants it.
    def whole(self, field, kinds, common):
        self.at += 1
        if self.at == self.hit:
            i = self.pick(kinds)
            self.truth.append((i.id, field))
            return self.planted(written(self.r, i))
        if self.at == self.near:
            return self.planted(near(self.r, self.pick(kinds), self.networks))
        return self.quote(common(self.r))

    def address(self, field):
        return self.whole(field, ADDRESS, self.common.address)

    def name(self, field):
        return self.whole(field, NAME, self.common.name)

    def digest(self, field, size):
        return self.whole(field, [k for k in DIGEST if size == {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}[k]], lambda r: hex_text(r, size))

    def print(self, field, kind):
        """A TLS fingerprint."""
        return self.whole(field, [kind], lambda r: hex_text(r, 32) if kind == "ja3" else f"t13d1516h2_{hex_text(r, 12)}_{hex_text(r, 12)}")

    def mail(self, field, around="{}"):
        self.at += 1
        if self.at == self.hit:
            i = self.pick(["mail"])
            self.truth.append((i.id, field))
            return self.planted(around.format(written(self.r, i)))
        if self.at == self.near:
            return self.planted(around.format(near(self.r, self.pick(["mail"]), self.networks)))
        return self.quote(around.format("user@" + self.common.names[self.r.randrange(3000)]))

    def text(self, field, common=None, defanged=False):
        self.at += 1
        if self.at == self.hit:
            i = self.pick(WORDS)
            self.truth.append((i.id, field))
            return self.planted(embedded(self.r, i, defanged))
        if self.at == self.near:
            i = self.pick(WORDS)
            return self.planted("so " + (near(self.r, i, self.networks) if i.kind != "wide" else "nothing") + " it was")
        return self.quote(common if common is not None else self.r.choice(self.common.texts))

    def request(self, host_field, uri_field):
        """(host, uri, port): a URL indicator in two fields, or a name as host."""
        self.at += 1
        r = self.r
        if self.at in (self.hit, self.near):
            if r.random() < 0.5:
                i = self.pick(["url"])
                while i.value[0] != "http":
                    i = self.pick(["url"])
                _, host, port, path = i.value
                if self.at == self.hit:
                    self.truth.append((i.id, uri_field))
                    if r.random() < 0.3:
                        host = host.upper()
                    if r.random() < 0.2:
                        path += "#x"
                else:
                    path += "x"
                return host, path, port[1:]
            i = self.pick(["name", "tree", "below"])
            if self.at == self.hit:
                self.truth.append((i.id, host_field))
                return written(r, i, beyond=False), "/", ""
            return near(r, i, self.networks), "/", ""
        return r.choice(self.common.names), r.choice(self.common.paths), ""

    def quote(self, text):
        return text

    def planted(self, text):
        return text


class JsonFiller(Filler):
    slashes = 0.3  # how often a slash is escaped

    def quote(self, text):
        return f'"{text}"'

    def planted(self, text):
        r = self.r
        out = json.dumps(text, ensure_ascii=r.random() < 0.5)
        if r.random() < self.slashes:
            out = out.replace("/", "\\/")
        if r.random() < 0.15:  # any character may be written by its number
            places = [k for k in range(1, len(out) - 1) if out[k].isalnum() or out[k] in ".:@/"]
            k = r.choice(places) if places and "\\" not in out else 0
            if k:
                out = out[:k] + f"\\u{ord(out[k]):04x}" + out[k + 1:]
        return out


class EveFiller(JsonFiller):
    slashes = 1.0


class TsvFiller(Filler):
    def planted(self, text):
        r = self.r
        if text == "-":
            return "\\x2d"
        octets = text.encode()
        bare = r.random() < 0.3
        out = "".join(chr(b) if 0x20 <= b < 0x7F and b not in (0x2C, 0x5C) else f"\\x{b:02x}" if b < 0x80 or not bare else "\udc00" for b in octets)
        if "\udc00" in out:  # letters beyond ASCII as they are
            out = text.replace("\\", "\\x5c").replace(",", "\\x2c").replace("\t", "\\x09")
        if r.random() < 0.15 and "\\" not in out and out.isascii():
            k = r.randrange(len(out))
            out = out[:k] + f"\\x{ord(out[k]):02x}" + out[k + 1:]
        return out


def uid(r):
    return f"C{r.getrandbits(80):020x}"


# --- Zeek -------------------------------------------------------------------------------------------------------------------------------


def zeek_json(f, n):
    r = f.r
    for k in range(n):
        ts = f"{1767225600 + k * 0.01:.6f}"
        x = r.random()
        if x < 0.40:
            f.begin(2)
            line = (f'{{"ts":{ts},"uid":"{uid(r)}","id.orig_h":{f.address("id.orig_h")},"id.orig_p":{r.randint(1024, 65535)},"id.resp_h":{f.address("id.resp_h")},'
                    f'"id.resp_p":443,"proto":"tcp","service":"ssl","duration":{r.random():.6f},"orig_bytes":{r.randint(0, 9999)},"resp_bytes":{r.randint(0, 99999)},'
                    f'"conn_state":"SF","missed_bytes":0,"history":"ShADadFf","orig_pkts":12,"resp_pkts":11,"tunnel_parents":[]}}')
        elif x < 0.65:
            f.begin(5)
            line = (f'{{"ts":{ts},"uid":"{uid(r)}","id.orig_h":{f.address("id.orig_h")},"id.orig_p":{r.randint(1024, 65535)},"id.resp_h":"10.0.0.53","id.resp_p":53,'
                    f'"proto":"udp","trans_id":{r.getrandbits(16)},"query":{f.name("query")},"qclass":1,"qtype_name":"A","rcode":0,"AA":false,"RD":true,'
                    f'"answers":[{f.name("answers")},{f.address("answers")},{f.address("answers")}],"TTLs":[60.0,60.0],"rejected":false}}')
        elif x < 0.80:
            f.begin(5)
            host, uri, port = f.request("host", "uri")
            if port:
                host += ":" + port
            line = (f'{{"ts":{ts},"uid":"{uid(r)}","id.orig_h":{f.address("id.orig_h")},"id.resp_h":{f.address("id.resp_h")},"id.resp_p":80,"trans_depth":1,"method":"GET",'
                    f'"host":{json.dumps(host)},"uri":{f.planted(uri)},"referrer":{f.whole("referrer", ["url"], lambda r: "http://" + r.choice(f.common.names) + "/")},'
                    f'"user_agent":{f.text("user_agent", r.choice(f.common.agents))},"status_code":200,"status_msg":"OK","tags":[]}}')
        elif x < 0.90:
            f.begin(4)
            line = (f'{{"ts":{ts},"fuid":"F{r.getrandbits(64):x}","tx_hosts":[{f.address("tx_hosts")}],"source":"HTTP","analyzers":["MD5","SHA1"],"mime_type":"text/html",'
                    f'"duration":0.1,"local_orig":false,"seen_bytes":{r.randint(1, 9999)},"md5":{f.digest("md5", 32)},"sha1":{f.digest("sha1", 40)},"sha256":{f.digest("sha256", 64)}}}')
        elif x < 0.98:
            f.begin(5)
            line = (f'{{"ts":{ts},"uid":"{uid(r)}","id.orig_h":{f.address("id.orig_h")},"id.resp_h":{f.address("id.resp_h")},"version":"TLSv13","cipher":"TLS_AES_128_GCM_SHA256",'
                    f'"server_name":{f.name("server_name")},"resumed":false,"established":true,"ssl_history":"CsiI","ja3":{f.print("ja3", "ja3")},"ja4":{f.print("ja4", "ja4")}}}')
        else:
            f.begin(4)
            line = (f'{{"ts":{ts},"uid":"{uid(r)}","helo":{f.name("helo")},"mailfrom":{f.mail("mailfrom", "<{}>")},"rcptto":[{f.mail("rcptto")}],"subject":{f.text("subject")},"path":["10.0.0.1"]}}')
        yield line, f.truth


ZEEK_TSV = {
    "conn": ("ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes history tunnel_parents",
             "time string addr port addr port enum string interval count string set[string]"),
    "dns": ("ts uid id.orig_h id.resp_h proto trans_id query rcode answers TTLs rejected", "time string addr addr enum count string count vector[string] vector[interval] bool"),
    "http": ("ts uid id.orig_h id.resp_h method host uri referrer user_agent status_code tags", "time string addr addr string string string string string count set[enum]"),
    "files": ("ts fuid tx_hosts source mime_type duration md5 sha1 sha256", "time string set[addr] string string interval string string string"),
    "ssl": ("ts uid id.orig_h id.resp_h version server_name established ja3 ja3s ja4", "time string addr addr string string bool string string string"),
    "smtp": ("ts uid helo mailfrom rcptto subject", "time string string string set[string] string"),
}


def zeek_header(name):
    fields, types = ZEEK_TSV[name]
    return ("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n" + f"#path\t{name}\n#open\t2026-01-01-00-00-00\n"
            + "#fields\t" + fields.replace(" ", "\t") + "\n#types\t" + types.replace(" ", "\t"))


def zeek_tsv(f, n):
    """Parts of each type one after the other, each with its header, as files that were put together have it."""
    r = f.r
    k = 0
    shares = {"conn": 0.25, "dns": 0.15, "http": 0.04, "files": 0.02, "ssl": 0.02, "smtp": 0.02}
    for _ in range(2):
        for name, share in shares.items():
            for line in zeek_header(name).split("\n"):
                yield line, ()
            for _ in range(int(n * share)):
                k += 1
                ts = f"{1767225600 + k * 0.01:.6f}"
                if name == "conn":
                    f.begin(2)
                    line = f'{ts}\t{uid(r)}\t{f.address("id.orig_h")}\t{r.randint(1024, 65535)}\t{f.address("id.resp_h")}\t443\ttcp\t-\t{r.random():.6f}\t{r.randint(0, 9999)}\tShADadFf\t(empty)'
                elif name == "dns":
                    f.begin(5)
                    line = (f'{ts}\t{uid(r)}\t{f.address("id.orig_h")}\t10.0.0.53\tudp\t{r.getrandbits(16)}\t{f.name("query")}\t0\t'
                            f'{f.name("answers")},{f.address("answers")},{f.address("answers")}\t60.000000,60.000000\tF')
                elif name == "http":
                    f.begin(5)
                    host, uri, port = f.request("host", "uri")
                    host = host + ":" + port if port else host
                    referrer = f.whole("referrer", ["url"], lambda r: "http://" + r.choice(f.common.names) + "/")
                    agent = f.text("user_agent", "Mozilla/5.0 (X11) Firefox/131.0")
                    line = f'{ts}\t{uid(r)}\t{f.address("id.orig_h")}\t{f.address("id.resp_h")}\tGET\t{f.planted(host)}\t{f.planted(uri)}\t{referrer}\t{agent}\t200\t(empty)'
                elif name == "files":
                    f.begin(4)
                    line = (f'{ts}\tF{r.getrandbits(64):x}\t{f.address("tx_hosts")}\tHTTP\ttext/html\t0.1\t{f.digest("md5", 32)}\t{f.digest("sha1", 40)}\t{f.digest("sha256", 64)}')
                elif name == "ssl":
                    f.begin(5)
                    line = (f'{ts}\t{uid(r)}\t{f.address("id.orig_h")}\t{f.address("id.resp_h")}\tTLSv13\t{f.name("server_name")}\tT\t{f.print("ja3", "ja3")}\t-\t'
                            f'{f.print("ja4", "ja4")}')
                else:
                    f.begin(4)
                    line = f'{ts}\t{uid(r)}\t{f.name("helo")}\t{f.mail("mailfrom", "<{}>")}\t{f.mail("rcptto")}\t{f.text("subject")}'
                yield line, f.truth
    yield "#close\t2026-01-02-00-00-00", ()


# --- Suricata ---------------------------------------------------------------------------------------------------------------------------


def suricata_eve(f, n):
    r = f.r
    for k in range(n):
        x = r.random()
        head = f'{{"timestamp":"2026-01-01T{k // 3600 % 24:02d}:{k // 60 % 60:02d}:{k % 60:02d}.{r.getrandbits(19):06d}+0000","flow_id":{r.getrandbits(50)},"in_iface":"eth0",'
        if x < 0.4:
            f.begin(2)
            line = (head + f'"event_type":"flow","src_ip":{f.address("src_ip")},"src_port":{r.randint(1024, 65535)},"dest_ip":{f.address("dest_ip")},"dest_port":443,"proto":"TCP",'
                    f'"flow":{{"pkts_toserver":{r.randint(1, 99)},"bytes_toserver":{r.randint(60, 9999)},"state":"closed","alerted":false}}}}')
        elif x < 0.65:
            f.begin(4)
            line = (head + f'"event_type":"dns","src_ip":{f.address("src_ip")},"dest_ip":"10.0.0.53","proto":"UDP","dns":{{"version":2,"type":"answer","id":{r.getrandbits(16)},'
                    f'"rrname":{f.name("dns.rrname")},"rrtype":"A","rcode":"NOERROR","grouped":{{"A":[{f.address("dns.grouped.A")}],"CNAME":[{f.name("dns.grouped.CNAME")}]}}}}}}')
        elif x < 0.8:
            f.begin(3)
            host, uri, port = f.request("http.hostname", "http.url")
            port = f'"http_port":{port},' if port else r.choice(["", '"http_port":80,'])
            line = (head + f'"event_type":"http","src_ip":{f.address("src_ip")},"dest_ip":{f.address("dest_ip")},"http":{{"hostname":{json.dumps(host)},{port}"url":{f.planted(uri)},'
                    f'"http_user_agent":"curl\\/8.5.0","http_method":"GET","protocol":"HTTP\\/1.1","status":200,"length":{r.randint(0, 9999)}}}}}')
        elif x < 0.9:
            f.begin(4)
            line = (head + f'"event_type":"tls","src_ip":{f.address("src_ip")},"dest_ip":"52.1.1.1","tls":{{"sni":{f.name("tls.sni")},"version":"TLS 1.3",'
                    f'"ja3":{{"hash":{f.print("tls.ja3.hash", "ja3")},"string":"771,49195-49196,0-10-11,23-24,0"}},"ja4":{f.print("tls.ja4", "ja4")},'
                    f'"subject":"CN=*.cdn.net","fingerprint":"4f:0a:11:e0:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99"}}}}')
        else:
            f.begin(4)
            line = (head + f'"event_type":"fileinfo","src_ip":{f.address("src_ip")},"fileinfo":{{"filename":"\\/a\\/b.bin","md5":{f.digest("fileinfo.md5", 32)},"sha256":{f.digest("fileinfo.sha256", 64)},'
                    f'"size":{r.randint(1, 99999)}}},"email":{{"from":{f.mail("email.from")},"status":"PARSE_DONE"}}}}')
        yield line, f.truth


# --- DNS query logs ---------------------------------------------------------------------------------------------------------------------


class DnsFiller(Filler):
    """What a resolver writes: addresses as they are, names in A-labels."""

    def whole(self, field, kinds, common):
        self.at += 1
        if self.at == self.hit:
            i = self.pick(kinds)
            self.truth.append((i.id, field))
            return written(self.r, i, beyond=False)
        if self.at == self.near:
            i = self.pick([k for k in kinds if k not in ("v4", "wide")])
            return near(self.r, i, self.networks)
        return common(self.r)


def bind_log(f, n):
    r = f.r
    for k in range(n):
        f.begin(3)
        client, name = f.address("client"), f.name("query")
        server = f.address("server")
        time = f"01-Jan-2026 {k // 3600 % 24:02d}:{k // 60 % 60:02d}:{k % 60:02d}.{r.randrange(1000):03d}"
        yield (f"{time} queries: info: client @0x{r.getrandbits(44):x} {client}#{r.randint(1024, 65535)} ({name.rstrip('.')}): query: {name} IN "
               f"{r.choice(['A', 'AAAA', 'MX', 'HTTPS', 'TYPE65'])} {r.choice(['+', '-E(0)K', '+E(0)DC'])} ({server})"), f.truth


def unbound_log(f, n):
    r = f.r
    for k in range(n):
        f.begin(2)
        client, name = f.address("client"), f.name("query")
        yield f"[{1767225600 + k}] unbound[{r.randint(100, 999)}:0] info: {client} {name.rstrip('.')}. {r.choice(['A', 'AAAA', 'PTR'])} IN", f.truth


# --- Syslog, JSON lines, text -----------------------------------------------------------------------------------------------------------


class SyslogFiller(JsonFiller):
    json = False

    def quote(self, text):
        return f'"{text}"' if self.json else text

    def planted(self, text):
        return super().planted(text) if self.json else text


def syslog(f, n):
    r = f.r
    for k in range(n):
        x = r.random()
        old = f"<{r.randint(0, 191)}>Jan  1 {k // 3600 % 24:02d}:{k // 60 % 60:02d}:{k % 60:02d} gw{r.randint(1, 9)} app[{r.randint(1, 9999)}]: "
        new = f"<{r.randint(0, 191)}>1 2026-01-01T00:00:{k % 60:02d}.{r.randrange(1000):03d}Z gw{r.randint(1, 9)} app {r.randint(1, 9999)} ID{r.randint(1, 99)} - "
        f.json = x >= 0.7
        if x < 0.4:
            f.begin(1)
            line = old + f.text("text", defanged=True)
        elif x < 0.6:
            f.begin(2)
            line = new + f"[meta seq=\"{k}\"] connection to {f.address('text')} port 443 for {f.text('text')}"
        elif x < 0.7:
            f.begin(1)
            line = old + f"Failed password for root from {f.whole('text', ADDRESS, f.common.address)} port {r.randint(1024, 65535)} ssh2"
        elif x < 0.85:
            f.begin(3)
            line = old + f'@cee: {{"src":{f.address("src")},"name":{f.name("name")},"msg":{f.text("msg")},"n":{k}}}'
        else:
            f.begin(2)
            line = new + f'- {{"event":{{"dst":{f.address("event.dst")},"sha1":{f.digest("event.sha1", 40)}}}}}'
        yield line, f.truth


def json_lines(f, n):
    r = f.r
    for k in range(n):
        f.begin(8)
        yield (f'{{"@timestamp":"2026-01-01T00:00:{k % 60:02d}Z","event":{{"id":{k},"src":{{"ip":{f.address("event.src.ip")},"port":{r.randint(1, 65535)}}}, '
               f'"dst":{{"ip":{f.address("event.dst.ip")},"names":[{f.name("event.dst.names")},{f.name("event.dst.names")}]}} }},"file":{{"hash":{{"sha256":{f.digest("file.hash.sha256", 64)}}}}},'
               f'"user":{{"email":{f.mail("user.email")},"ok":true,"score":{r.random():.3f},"nothing":null}},"link":{f.whole("link", ["url"], lambda r: "https://" + r.choice(f.common.names) + "/x")},'
               f'"message":{f.text("message")}}}'), f.truth


def plain_text(f, n):
    r = f.r
    for k in range(n):
        f.begin(2)
        if r.random() < 0.02:  # a name beyond ASCII is seen as the whole of a line
            i = f.pick(["wide"])
            f.truth.append((i.id, "text"))
            yield i.value if not i.value.isascii() else i.value.upper(), f.truth
            continue
        first, second = f.text("text", defanged=True), f.text("text", defanged=True)
        yield f"{k} {first} | {second} {''.join(r.choices(LETTERS, k=9))}/{r.random():.4f}", f.truth


# --- Flow records -----------------------------------------------------------------------------------------------------------------------


class FlowFiller(Filler):
    def octets(self, field, six):
        self.at += 1
        r = self.r
        if self.at in (self.hit, self.near):
            i = self.pick(["v6", "cidr6"] if six else ["v4", "cidr4"])
            if self.at == self.hit:
                self.truth.append((i.id, field))
                value = ipaddress.ip_address(i.value) if isinstance(i.value, str) else i.value[r.randint(0, i.value.num_addresses - 1)]
            else:
                value = ipaddress.ip_address(near(r, i, self.networks)) if i.kind in ("v6", "cidr6", "cidr4") else ipaddress.ip_address("145" + i.value[2:])
            if value.version == 4 and six:  # the neighbour of a block that is none
                value = ipaddress.IPv6Address("2606::9")
            return value.packed
        if six:
            return (0x2606 << 112 | r.getrandbits(100)).to_bytes(16, "big")
        return (r.randint(52, 126) << 24 | r.getrandbits(24)).to_bytes(4, "big")


def chunks(n, size):
    while n > 0:
        yield min(n, size)
        n -= size


def netflow_v5(f, n):
    """(octets of an export packet, [matches of record 1, …])"""
    sequence = 0
    for count in chunks(n, 30):
        body, truths = [], []
        for _ in range(count):
            f.begin(3)
            body.append(f.octets("src_ip", False) + f.octets("dst_ip", False) + f.octets("next_hop", False) + struct.pack(
                ">HHIIIIHHBBBBHHBBH", 1, 2, 10, 1000, 5000, 6000, f.r.getrandbits(16), 443, 0, 24, 6, 0, 64500, 64501, 24, 24, 0))
            truths.append(f.truth)
        yield struct.pack(">HHIIIIBBH", 5, count, 10000, 1767225600 + sequence, 0, sequence, 0, 0, 0) + b"".join(body), truths
        sequence += count


def template_packets(f, n, ipfix):
    """Two templates (IPv4 and IPv6), told at the beginning and again from time to time; sets of both in each packet."""
    four, six = [(8, 4), (7, 2), (12, 4), (11, 2), (4, 1), (15, 4)], [(27, 16), (28, 16), (62, 16), (4, 1)]
    templates = b"".join(struct.pack(">HH", t, len(fields)) + b"".join(struct.pack(">HH", *x) for x in fields) for t, fields in ((256, four), (257, six)))
    templates = struct.pack(">HH", 2 if ipfix else 0, 4 + len(templates)) + templates
    sequence = packets = 0
    for count in chunks(n, 40):
        sets, truths = [], []
        if packets % 100 == 0:
            sets.append(templates)
        for is_six in (False, True):
            body = []
            for _ in range(count - count // 4 if not is_six else count // 4):
                f.begin(3)
                if is_six:
                    body.append(f.octets("src_ip", True) + f.octets("dst_ip", True) + f.octets("next_hop", True) + b"\x06")
                else:
                    body.append(f.octets("src_ip", False) + b"\x04\x00" + f.octets("dst_ip", False) + b"\x01\xbb\x06" + f.octets("next_hop", False))
                truths.append(f.truth)
            if body:
                data = b"".join(body)
                sets.append(struct.pack(">HH", 257 if is_six else 256, 4 + len(data)) + data)
        payload = b"".join(sets)
        if ipfix:
            yield struct.pack(">HHIII", 10, 16 + len(payload), 1767225600 + packets, sequence, 7) + payload, truths
        else:
            yield struct.pack(">HHIIII", 9, count + (2 if packets % 100 == 0 else 0), 10000, 1767225600 + packets, sequence, 7) + payload, truths
        sequence += count
        packets += 1


# name: (form for the oracle, filler, writer)
FORMATS = {
    "zeek.json": ("json", JsonFiller, zeek_json),
    "zeek.tsv": ("tsv", TsvFiller, zeek_tsv),
    "eve.json": ("json", EveFiller, suricata_eve),
    "bind.log": ("dns", DnsFiller, bind_log),
    "unbound.log": ("dns", DnsFiller, unbound_log),
    "netflow.v5": ("v5", FlowFiller, netflow_v5),
    "netflow.v9": ("v9", FlowFiller, lambda f, n: template_packets(f, n, False)),
    "flows.ipfix": ("ipfix", FlowFiller, lambda f, n: template_packets(f, n, True)),
    "syslog": ("syslog", SyslogFiller, syslog),
    "lines.json": ("json", JsonFiller, json_lines),
    "plain.txt": ("text", Filler, plain_text),
}
