#!/usr/bin/env python3
"""An independent matcher of plain indicators over logs and flow records: which indicator occurs in which field of which record.

Standard library only and nothing in common with src/detect: records are read by json, split and struct; values are searched with regular
expressions written from docs/detection.md; addresses are compared by ipaddress, names by the punycode codec.

  hunt_oracle.py INDICATORS.jsonl FORM FILE    FORM: json tsv dns syslog text v5 v9 ipfix pcap dnstap. One line per match: id TAB record TAB field

INDICATORS.jsonl holds STIX indicators whose patterns are `=`, `ISSUBSET` and `LIKE '%.name'` joined by OR. Slow on purpose where that is clearer;
equal texts are searched once.
"""
import ipaddress
import json
import re
import struct
import sys
import unicodedata

# --- Normal forms -----------------------------------------------------------------------------------------------------------------------


def name_of(text):
    """A domain name in lower case with A-labels, without its trailing dot; None if it is no name."""
    if text.endswith("."):
        text = text[:-1]
    labels = []
    for label in re.split("[.\u3002]", text):
        label = unicodedata.normalize("NFC", label.lower())
        if not label.isascii():
            if not all(c.isalnum() or unicodedata.category(c) in ("Mn", "Mc") or c == "-" for c in label):
                return None
            label = "xn--" + label.encode("punycode").decode()
        if not re.fullmatch(r"[a-z0-9_-]{1,63}", label):
            return None
        labels.append(label)
    name = ".".join(labels)
    return name if len(name) <= 253 else None


def address_of(text):
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def percent(text):
    """RFC 3986 6.2.2: an encoded unreserved character is that character; hex digits of others are capitals."""
    def one(m):
        char = chr(int(m.group(1), 16))
        return char if char in UNRESERVED else m.group(0).upper()
    text = re.sub("%([0-9A-Fa-f]{2})", one, text)
    return "".join(c if ord(c) < 0x80 else "".join("%%%02X" % b for b in c.encode("utf-8", "surrogateescape")) for c in text)


def undot(path):
    """RFC 3986 5.2.4."""
    out = []
    segments = path.split("/")[1:]
    for i, s in enumerate(segments):
        last = i == len(segments) - 1
        if s == ".":
            out += [""] if last else []
        elif s == "..":
            out = out[:-1]
            out += [""] if last else []
        else:
            out.append(s)
    return "/" + "/".join(out)


def url_of(text):
    m = re.fullmatch(r"([A-Za-z0-9+.-]+)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", text, re.DOTALL)
    if not m:
        return None
    scheme, authority, path, query = m.group(1).lower(), m.group(2), m.group(3), m.group(4) or ""
    user, at, hostport = authority.rpartition("@")
    m = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", hostport)
    if not m:
        return None
    host, port = m.group(1), m.group(2) or ""
    if port == {"http": "80", "https": "443", "ftp": "21", "ws": "80", "wss": "443"}.get(scheme):
        port = ""
    if host.startswith("["):
        host = address_of(host[1:-1])
    else:
        host = address_of(host) or name_of(host)
    if host is None:
        return None
    return (scheme, percent(user) if at else None, str(host), port, undot(percent(path)) if path else "/", percent(query))


def email_of(text):
    local, at, domain = text.rpartition("@")
    domain = name_of(domain)
    return (local.lower(), domain) if at and local and domain else None


# --- Indicators -------------------------------------------------------------------------------------------------------------------------


class Indicators:
    def __init__(self, lines):
        self.exact, self.below, self.networks = {}, {}, {4: {}, 6: {}}
        for line in lines:
            o = json.loads(line)
            for path, op, value in re.findall(r"([a-z0-9-]+:[A-Za-z0-9_.'-]+) (=|ISSUBSET|LIKE) '((?:[^'\\]|\\.)*)'", o["pattern"]):
                self.add(o["id"], path, op, re.sub(r"\\(.)", r"\1", value))

    def add(self, ident, path, op, value):
        kind = path.split(":")[0]
        if op == "ISSUBSET":
            network = ipaddress.ip_network(value)
            self.networks[network.version].setdefault(network.prefixlen, {}).setdefault(int(network.network_address), []).append(ident)
            return
        if op == "LIKE":
            assert value.startswith("%."), value
            self.below.setdefault(name_of(value[2:]), []).append(ident)
            return
        key = {"domain-name": name_of, "url": url_of, "email-addr": email_of, "ipv4-addr": address_of, "ipv6-addr": address_of,
               "file": lambda v: ("digest", v.lower()), "network-traffic": lambda v: ("ja4" if path.endswith("ja4") else "digest", v.lower())}[kind](value)
        assert key is not None, value
        self.exact.setdefault(key, []).append(ident)

    def of_address(self, address):
        out = list(self.exact.get(address, ()))
        bits, number = address.max_prefixlen, int(address)
        for length, known in self.networks[address.version].items():
            out += known.get(number >> (bits - length) << (bits - length), ())
        return out

    def of_name(self, name, itself=True):
        out = list(self.exact.get(name, ())) if itself else []
        above = name if not itself else name.partition(".")[2]
        while above:
            out += self.below.get(above, ())
            above = above.partition(".")[2]
        return out


# --- What a text shows ------------------------------------------------------------------------------------------------------------------

W = "A-Za-z0-9_"
V4 = re.compile(rf"(?<![{W}.-])\.*(\d{{1,3}}(?:\.\d{{1,3}}){{3}})\.*(?![{W}.-])")
NAME = re.compile(rf"(?<![{W}.-])(\*?\.)?([{W}-]+(?:\.[{W}-]+)*\.[A-Za-z][A-Za-z0-9-]+)\.*(?![{W}.-])")
DIGEST = re.compile(rf"(?<![{W}.-])\.*([0-9A-Fa-f]{{32}}|[0-9A-Fa-f]{{40}}|[0-9A-Fa-f]{{64}}|[0-9A-Fa-f]{{128}})\.*(?![{W}.-])")
JA4 = re.compile(rf"(?<![{W}.-])\.*([tqdTQD][0-9sdSD][0-9][diDI][0-9]{{4}}[A-Za-z0-9]{{2}}_[0-9A-Fa-f]{{12}}_[0-9A-Fa-f]{{12}})\.*(?![{W}.-])")
# Also behind a word and a colon ("IPv6:2001:db8::1"), and before a colon that belongs to the sentence.
V6 = re.compile(rf"(?<![{W}.:-])(?:[{W}.-]*[G-Zg-z_-][{W}.-]*:)*([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)(?![{W}-])")
URL = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*://[^\x00-\x20\x7f"<>`{}|\\^]+""")
MAIL = re.compile(r"""(?=[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]*@)([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64})@([A-Za-z0-9._-]+)""")


class Searcher:
    def __init__(self, indicators):
        self.known, self.cache = indicators, {}

    def __call__(self, text):
        got = self.cache.get(text)
        if got is None:
            got = self.search(text) if len(text) > 2 else frozenset()
            if len(self.cache) > 400_000:
                self.cache.clear()
            self.cache[text] = got
        return got

    def search(self, text):
        known, out = self.known, set()
        words = text  # without IPv6 addresses, whose end may look like an IPv4 address
        if ":" in text:
            for m in V6.finditer(text):
                run = m.group(1).rstrip(".")
                address = address_of(run)
                if address is None and run.endswith(":"):
                    address = address_of(run[:-1].rstrip("."))
                if address is not None:
                    out.update(known.of_address(address))
                    words = words[:m.start(1)] + " " * len(m.group(1)) + words[m.end(1):]
        if "." in words:
            for m in V4.finditer(words):
                address = address_of(m.group(1))
                if address is not None:
                    out.update(known.of_address(address))
            for m in NAME.finditer(words):
                name = m.group(2).lower()
                if len(name) <= 253:
                    out.update(known.of_name(name, m.group(1) != "*."))
        if len(text) >= 32:
            for m in DIGEST.finditer(text):
                out.update(known.exact.get(("digest", m.group(1).lower()), ()))
            for m in JA4.finditer(text):
                out.update(known.exact.get(("ja4", m.group(1).lower()), ()))
        if ":" in text:
            for m in URL.finditer(text):
                out.update(self.url(m.group(0)))
                if len(m.group(0)) < len(text):
                    cut = self.cut(m.group(0))
                    if cut != m.group(0):
                        out.update(self.url(cut))
        if "@" in text:
            for m in MAIL.finditer(text):
                domain = m.group(2).rstrip(".")
                for local in (m.group(1), re.search("[A-Za-z0-9._-]*$", m.group(1)).group(0)):
                    mail = email_of(local + "@" + domain)
                    if mail:
                        out.update(known.exact.get(mail, ()))
        if not text.isascii() and len(text.encode("utf-8", "surrogateescape")) <= 1000 and not re.search("[ /@:]", text):
            name = name_of(text)
            if name:
                out.update(known.of_name(name))
        return frozenset(out)

    def cut(self, url):
        """Running text goes on behind a URL; a bracket belongs to it if it was opened in it."""
        while url and url[-1] in ".,;:!?'\")]*" and not (url[-1] == ")" and "(" in url):
            url = url[:-1]
        return url

    def url(self, text):
        """A URL also shows its host, which the words of the text may not (IDN, percent signs, user names)."""
        url = url_of(text)
        if url is None:
            return ()
        host = url[2]
        address = address_of(host)
        return list(self.known.exact.get(url, ())) + (self.known.of_address(address) if address is not None else self.known.of_name(host))

    def joined(self, host, uri, port=""):
        url = url_of("http://" + host + (":" + port if port and ":" not in host else "") + uri)
        return self.known.exact.get(url, ()) if url else ()


# --- Records of each form: (field, text) and requests whose host and path stand apart ----------------------------------------------------


def json_fields(value, path, search, found):
    if isinstance(value, str):
        found.update((i, path) for i in search(value))
    elif isinstance(value, list):
        for item in value:
            json_fields(item, path, search, found)
    elif isinstance(value, dict):
        host = uri = uri_name = None
        port = ""
        for key, item in value.items():
            inner = path + "." + key if path else key
            json_fields(item, inner, search, found)
            if isinstance(item, str) and key in ("host", "hostname"):
                host = item
            elif isinstance(item, str) and key in ("uri", "url"):
                uri, uri_name = item, inner
            elif key == "http_port" and isinstance(item, int):
                port = str(item)
        if host and uri and uri.startswith("/"):
            found.update((i, uri_name) for i in search.joined(host, uri, port))


def json_line(line, search):
    found = set()
    json_fields(json.loads(line), "", search, found)
    return found


BIND = re.compile(r"client (?:@0x[0-9a-f]+ )?([0-9A-Fa-f.:]+)#\d+(?: \(.*?\))?: query: (\S+) [A-Z0-9]+ [A-Z0-9]+ .*?(?:\(([0-9A-Fa-f.:]+)\))?$")
UNBOUND = re.compile(r"unbound.* info: ([0-9A-Fa-f.:]+) (\S+\.) [A-Z0-9]+ [A-Z0-9]+")


def dns_line(line, search):
    m = BIND.search(line) or UNBOUND.search(line)
    if not m:
        return text_line(line, search)
    found = set()
    for field, value in zip(("client", "query", "server"), m.groups()):
        found.update((i, field) for i in search(value or ""))
    return found


def refang(text):
    text = re.sub(r"h(?:xx|XX)p(s?)://", r"http\1://", text)
    return re.sub(r"\[\.\]|\(\.\)", ".", text).replace("[:]", ":").replace("[://]", "://").replace("[at]", "@").replace("[@]", "@")


def text_line(line, search):
    return {(i, "text") for i in search(refang(line))}


def syslog_line(line, search):
    begin = line.find("{")
    if line.endswith("}") and begin > 0 and line[begin - 1] in " :":
        try:
            return json_line(line[begin:], search)
        except ValueError:
            pass
    return text_line(line, search)


def tsv_matches(lines, search):
    names, types, separator = [], [], ","
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            key, *rest = line[1:].split("\t")
            names, types = (rest, types) if key == "fields" else (names, rest) if key == "types" else (names, types)
            separator = rest[0] if key == "set_separator" else separator
            continue
        found, request = set(), {}
        for name, kind, value in zip(names, types, line.split("\t")):
            if value in ("-", "(empty)"):
                continue
            inner = re.fullmatch(r"(?:set|vector)\[(.*)\]", kind)
            if (inner.group(1) if inner else kind) not in ("string", "addr", "subnet", "pattern"):
                continue
            values = [tsv_value(v) for v in (value.split(separator) if inner else [value])]
            request[name] = values[0]
            for v in values:
                found.update((i, name) for i in search(v))
        if request.get("host") and request.get("uri", "").startswith("/"):
            found.update((i, "uri") for i in search.joined(request["host"], request["uri"]))
        yield number, found


def tsv_value(text):
    if "\\x" not in text:
        return text
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode("utf-8", "surrogateescape")).decode(
        "utf-8", "surrogateescape")


# --- Flow records -----------------------------------------------------------------------------------------------------------------------

FLOW_FIELDS = {8: "src_ip", 12: "dst_ip", 15: "next_hop", 27: "src_ip", 28: "dst_ip", 62: "next_hop"}


def v5_records(data):
    at = 0
    while at < len(data):
        count = struct.unpack_from(">H", data, at + 2)[0]
        for src, dst, hop in struct.iter_unpack(">4s4s4s36x", data[at + 24:at + 24 + 48 * count]):
            yield [("src_ip", src), ("dst_ip", dst), ("next_hop", hop)]
        at += 24 + 48 * count


def template_records(data, header, template_set):
    """NetFlow v9 and IPFIX as far as this generator of tests writes them: sets of templates and data without padding."""
    at, templates = 0, {}
    while at < len(data):
        if header == 16:
            end = at + struct.unpack_from(">H", data, at + 2)[0]
            domain = struct.unpack_from(">I", data, at + 12)[0]
        else:
            end, domain = None, struct.unpack_from(">I", data, at + 16)[0]
        at += header
        while at < len(data) and (end is None or at < end):
            ident, size = struct.unpack_from(">HH", data, at)
            if end is None and ident == 9:  # the version of the next export packet
                break
            body = data[at + 4:at + size]
            if ident == template_set:
                place = 0
                while place < len(body):
                    tid, fields = struct.unpack_from(">HH", body, place)
                    templates[domain, tid] = [struct.unpack_from(">HH", body, place + 4 + 4 * i) for i in range(fields)]
                    place += 4 + 4 * fields
            elif ident > 255:
                layout = templates[domain, ident]
                length = sum(n for _, n in layout)
                for begin in range(0, len(body) - length + 1, length):
                    record, place = [], begin
                    for field, n in layout:
                        if field in FLOW_FIELDS:
                            record.append((FLOW_FIELDS[field], body[place:place + n]))
                        place += n
                    yield record
            at += size


def flow_matches(records, known):
    cache = {}
    for number, record in enumerate(records, 1):
        found = set()
        for field, octets in record:
            ids = cache.get(octets)
            if ids is None:
                address = ipaddress.ip_address(octets)
                ids = cache[octets] = frozenset(known.of_address(getattr(address, "ipv4_mapped", None) or address)) if int(address) else ()
                if len(cache) > 1_000_000:
                    cache.clear()
            found.update((i, field) for i in ids)
        yield number, found


# ----------------------------------------------------------------------------------------------------------------------------------------


def matches(form, path, known):
    """(record, {(id, field)}) of every record."""
    if form in ("v5", "v9", "ipfix"):
        with open(path, "rb") as f:
            data = f.read()
        records = {"v5": lambda: v5_records(data), "v9": lambda: template_records(data, 20, 0), "ipfix": lambda: template_records(data, 16, 2)}
        yield from flow_matches(records[form](), known)
        return
    search = Searcher(known)
    if form in ("pcap", "dnstap"):
        import packet_oracle
        yield from packet_oracle.matches(form, path, known, search)
        return
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as f:
        lines = (line.rstrip("\n") for line in f)
        if form == "tsv":
            yield from tsv_matches(lines, search)
            return
        one = {"json": json_line, "dns": dns_line, "syslog": syslog_line, "text": text_line}[form]
        for number, line in enumerate(lines, 1):
            if line:
                yield number, one(line, search)


def main(indicators, form, path):
    with open(indicators, encoding="utf-8") as f:
        known = Indicators(f)
    for number, found in matches(form, path, known):
        for ident, field in sorted(found):
            print(ident, number, field, sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])
