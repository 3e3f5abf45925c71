"""The world of hunt_test.py: indicators of every type, the ways in which each is written where it must be found, what is almost one of them and
must not be found, and what is common. Everything follows from the seed."""
import ipaddress
import json
import pathlib
import random
import struct
import sys
import uuid

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))
import packet_oracle  # noqa: E402

TLDS = [".com", ".net", ".org", ".co.jp", ".in", ".xyz", ".top", ".info", ".example"]
WIDE = ["bücher", "münchen", "日本語", "銀行", "पुलिस", "почта", "café", "서울", "żółw", "łódź"]
KINDS = ["v4", "v6", "cidr4", "cidr6", "name", "tree", "below", "wide", "url", "md5", "sha1", "sha256", "sha512", "mail", "ja3", "ja4"]
DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
PATHS = {"md5": "MD5", "sha1": "'SHA-1'", "sha256": "'SHA-256'", "sha512": "'SHA-512'"}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Indicator:
    def __init__(self, kind, value, pattern, number):
        self.kind, self.value, self.pattern = kind, value, pattern
        self.id = "indicator--" + str(uuid.uuid5(uuid.UUID("9e1b7c2e-6f3e-4f0e-9d5b-2f6f4c1f0a11"), f"{number}"))


def a_label(label):
    return label if label.isascii() else "xn--" + label.encode("punycode").decode()


def label(r, least=5, most=12):
    return "".join(r.choices(LETTERS, k=r.randint(least, most)))


def hex_text(r, n):
    return f"{r.getrandbits(4 * n):0{n}x}"


def client_hello(ciphers, groups, alpn, server_name):
    """The body of a ClientHello of TLS 1.3, with the extensions that clients of our day send."""
    def listed(values):
        return struct.pack(f">H{len(values)}H", 2 * len(values), *values)
    name = server_name.encode("latin-1")
    extensions = [(0, struct.pack(">HBH", 3 + len(name), 0, len(name)) + name), (10, listed(groups)), (11, b"\1\0"), (13, listed([0x0403, 0x0804, 0x0401])),
                  (16, struct.pack(">HB", 1 + len(alpn), len(alpn)) + alpn.encode()), (43, b"\4\3\4\3\3"), (0x2A2A, b""), (51, b"\0\2\0\0")]
    body = b"".join(struct.pack(">HH", k, len(d)) + d for k, d in extensions)
    return b"\3\3" + bytes(32) + b"\0" + listed([0x1A1A, *ciphers]) + b"\1\0" + struct.pack(">H", len(body)) + body


class World:
    """`each` indicators of each kind that occur, `absent` more that never do."""

    def __init__(self, seed, each, absent):
        self.rng = r = random.Random(seed)
        self.by_kind = {k: [] for k in KINDS}
        self.all = []
        self.hellos = {}  # fingerprint -> what a ClientHello must hold to have it
        for kind in KINDS:
            for i in range(each):
                self.add(kind, *self.make(kind, i, "hit"))
        for i in range(absent):
            self.add(None, *self.make(r.choice(KINDS), i, "gone"))

    def add(self, kind, value, pattern):
        indicator = Indicator(kind, value, pattern, len(self.all))
        self.all.append(indicator)
        if kind:
            self.by_kind[kind].append(indicator)

    # Values of the same kind never stand in each other's way: the number i is in each. Addresses that occur are in 45, 46 and 47/8 and in
    # 2001:db8 and 2a02:*; those of indicators that do not occur in 48 to 51 and 2a03; what is common is elsewhere (common()).
    def make(self, kind, i, mark):
        r = self.rng
        gone = mark == "gone"
        def q(path, value):
            return f"[{path} = '{value}']"
        if kind == "v4":
            v = f"{48 if gone else 45}.{i >> 8 & 255}.{i & 255}.{r.randint(1, 254)}"
            return v, q("ipv4-addr:value", v)
        if kind == "cidr4":
            bits = r.randint(25, 31) if gone else r.choice([20, 22, 24, 25, 28, 30, 31])
            n = ipaddress.ip_network((f"49.{i >> 8 & 255}.{i & 255}.{r.randint(0, 255)}" if gone else f"46.{i & 255}.{r.randint(0, 255)}.{r.randint(0, 255)}")
                                     + f"/{bits}", strict=False)
            return n, f"[ipv4-addr:value ISSUBSET '{n}']"
        if kind == "v6":
            n = (0x2A030000 if gone else 0x20010DB8) << 96 | i << 64 | r.getrandbits(64)
            v = str(ipaddress.IPv6Address(n))
            return v, q("ipv6-addr:value", v)
        if kind == "cidr6":
            bits = r.choice([33, 48, 56, 64, 120])
            n = ipaddress.ip_network(((0x2A03 if gone else 0x2A02) << 112 | (i & 0xFFFF) << 96 | r.getrandbits(64), bits), strict=False)
            return n, f"[ipv6-addr:value ISSUBSET '{n}']"
        if kind in ("name", "tree", "below"):
            v = f"{label(r)}{i}{mark[0]}{kind[0]}" + ("" if r.random() < 0.6 else "." + label(r)) + r.choice(TLDS)
            if kind == "name":
                return v, q("domain-name:value", v)
            if kind == "below":
                return v, f"[domain-name:value LIKE '%.{v}']"
            return v, f"[domain-name:value = '{v}' OR domain-name:value LIKE '%.{v}']"
        if kind == "wide":
            v = f"{r.choice(WIDE)}{i}{mark}" + r.choice([".jp", ".example", ".рф", ".भारत"])
            ascii_form = ".".join(a_label(x) for x in v.split("."))
            return v, q("domain-name:value", v if r.random() < 0.5 else ascii_form)
        if kind == "url":
            host = f"47.{i >> 8 & 255}.{i & 255}.{r.randint(1, 254)}" if i % 9 == 0 and not gone else f"{label(r)}{i}{mark}u{r.choice(TLDS)}"
            scheme, port = ("http", "") if i % 3 else ("https", "")
            if i % 7 == 0:
                port = ":8443"
            path = "/" + "/".join(label(r, 2, 8) for _ in range(r.randint(1, 3)))
            if i % 5 == 0:
                path += ".php?id=" + hex_text(r, 6) + "&x=%2Fa"
            elif i % 11 == 0:
                path += "/a%20b(c)"
            v = scheme, host, port, path
            return v, q("url:value", f"{scheme}://{host}{port}{path}")
        if kind == "mail":
            v = f"{label(r)}.{i}{mark}@{label(r)}{i}m{r.choice(TLDS)}"
            return v, q("email-addr:value", v)
        if kind in ("ja3", "ja4"):
            hello = r.sample(range(0xC000, 0xC0FF), r.randint(4, 15)), r.sample([29, 23, 24, 25, 30, 256, 257], 3), r.choice(["h2", "http/1.1", "dot"])
            v = packet_oracle.fingerprints(client_hello(*hello, "a.example"))[kind == "ja4"]
            self.hellos[v] = hello
            return v, q(f"network-traffic:extensions.'tls-ext'.{kind}", v)
        v = hex_text(r, DIGITS[kind])
        return v, q("file:hashes." + PATHS[kind], v)

    def stix_lines(self):
        return (stix_line(i) for i in self.all)


def stix_line(i):
    return json.dumps({"type": "indicator", "spec_version": "2.1", "id": i.id, "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                       "pattern": i.pattern, "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z"}) + "\n"


# --- How an indicator is written where it is to be found ---------------------------------------------------------------------------------


def mixed_case(r, text):
    """DNS 0x20."""
    bits = r.getrandbits(len(text))
    return "".join(c.upper() if bits >> k & 1 else c for k, c in enumerate(text)) if text.isascii() else text.upper()


def host_inside(r, network):
    return network[r.randint(0, network.num_addresses - 1)]


def v6_form(r, address):
    a = ipaddress.IPv6Address(address)
    form = r.randrange(5)
    if form == 0:
        return str(a)
    if form == 1:
        return a.exploded
    if form == 2:
        return a.exploded.upper()
    if form == 3:
        return str(a).upper()
    return ":".join(a.exploded.split(":")[:6]) + ":" + str(ipaddress.IPv4Address(int(a) & 0xFFFFFFFF))  # the last 32 bits as IPv4


def v4_form(r, text, mapped=True):
    form = r.randrange(8)
    if form == 0 and mapped:
        return "::ffff:" + text
    if form == 1 and mapped:
        n = int(ipaddress.IPv4Address(text))
        return f"::FFFF:{n >> 16:x}:{n & 0xFFFF:X}"
    return text


def name_form(r, text):
    text = mixed_case(r, text) if r.random() < 0.5 else text
    return text + "." if r.random() < 0.2 else text


def wide_form(r, text, beyond):
    if beyond and r.random() < 0.5:
        return text.upper() if r.random() < 0.3 and "ß" not in text else text
    return name_form(r, ".".join(a_label(x) for x in text.split(".")))


def url_form(r, parts):
    scheme, host, port, path = parts
    form = r.randrange(8)
    if form == 0:
        scheme, host = scheme.upper(), mixed_case(r, host)
    elif form == 1 and not port:
        port = ":443" if scheme == "https" else ":80"
    elif form == 2:
        path += "#top"
    elif form == 3:
        at = r.randrange(1, 3)
        path = path[:at] + f"%{ord(path[at]):02x}" + path[at + 1:] if path[at].isalpha() else path
    elif form == 4:
        path = "/./x/.." + path
    elif form == 5:
        path = path.replace("%2F", "%2f")
    return f"{scheme}://{host}{port}{path}"


def digest_form(r, text):
    return r.choice([text, text.upper(), mixed_case(r, text)])


def written(r, indicator, beyond=True):
    """The indicator as the whole of a value. `beyond`: letters beyond ASCII may stand in it."""
    kind, value = indicator.kind, indicator.value
    if kind == "v4":
        return v4_form(r, value)
    if kind == "cidr4":
        return v4_form(r, str(host_inside(r, value)))
    if kind == "v6":
        return v6_form(r, value)
    if kind == "cidr6":
        return v6_form(r, host_inside(r, value))
    if kind == "name":
        return name_form(r, value)
    if kind == "tree":
        return name_form(r, value if r.random() < 0.3 else label(r) + "." + ("_dmarc." if r.random() < 0.1 else "") + value)
    if kind == "below":
        return name_form(r, label(r) + "." + value)
    if kind == "wide":
        return wide_form(r, value, beyond)
    if kind == "url":
        return url_form(r, value)
    if kind == "mail":
        return mixed_case(r, value) if r.random() < 0.4 else value
    return digest_form(r, value)


AROUND = ["{} was seen", "from {} by user", "see ({})", 'said "{}" and left', "value={};", "[{}]", "<{}>", "{}, then more", "it was {}.", "x\t{}\ty", "to={} ok"]


def embedded(r, indicator, defanged=False):
    """The indicator inside a longer text."""
    kind = indicator.kind
    text = written(r, indicator, beyond=False)
    around = r.choice(AROUND)
    if kind in ("v4", "cidr4", "v6", "cidr6"):
        six = ":" in text
        form = r.randrange(6)
        if form == 0:
            text = f"[{text}]:443" if six else text + ":443"
        elif form == 1:
            text = "src:" + text if not six else "IPv6:" + text
        elif form == 2 and not six:
            text += "/32"
        elif form == 3:
            around = "from {}: refused"
    elif kind in ("name", "tree", "below", "wide"):
        form = r.randrange(6)
        if form == 0:
            text = "https://" + text.rstrip(".") + ":8443/any/where?x=1"
        elif form == 1:
            text = "someone@" + text.rstrip(".")
        elif form == 2:
            text = text.rstrip(".") + ":53"
        elif form == 3 and kind in ("tree", "below"):
            text = "*." + (text if kind == "below" else indicator.value)
    elif kind == "url" and "(" in text:
        around = r.choice([a for a in AROUND if "({})" not in a])  # whose bracket ends is not to be told
    if defanged and kind in ("name", "tree", "below", "url", "mail", "v4", "cidr4") and r.random() < 0.5:
        text = defang(r, text, kind)
    return around.format(text)


def defang(r, text, kind):
    if text.lower().startswith("http"):
        scheme, _, rest = text.partition("://")
        scheme = {"http": "hxxp", "https": "hxxps", "HTTP": "hXXp", "HTTPS": "hXXps"}.get(scheme, scheme)
        host, slash, path = rest.partition("/")
        return scheme + r.choice(["://", "[://]"] if scheme.startswith("http") else ["://"]) + host.replace(".", "[.]") + slash + path
    text = text.replace(".", r.choice(["[.]", "(.)"]))
    return text.replace("@", r.choice(["[at]", "[@]", "@"])) if kind == "mail" else text


# --- What is almost an indicator ---------------------------------------------------------------------------------------------------------


def near(r, indicator, networks):
    """A whole value that resembles the indicator and is not matched by any."""
    kind, value = indicator.kind, indicator.value
    if kind == "v4":
        return r.choice(["145" + value[2:], value + ".9", "v" + value, value + "-1", value.replace("45.", "44.", 1), "0" + value[1:] + "x"])
    if kind == "v6":
        return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(value)) ^ 1 << r.randrange(8, 40)))
    if kind in ("cidr4", "cidr6"):
        address = value[0] - 1 if r.random() < 0.5 else value[-1] + 1
        return "10.9.9.9" if any(address in n for n in networks[address.version]) else str(address)
    if kind == "name":
        return r.choice(["not" + value, "x-" + value, value + ".org", "sub." + value, "*." + value, value + "-x", "_" + value, value[1:], value.partition(".")[2]])
    if kind == "tree":
        return r.choice(["not" + value, "x-" + value, value + ".org", value[1:], "a." + value + "x"])
    if kind == "below":
        return r.choice([value, value.upper() + ".", "not" + value, "sub." + value + ".net"])
    if kind == "wide":
        text = ".".join(a_label(x) for x in value.split("."))
        return r.choice(["x" + value, "sub." + text, text + ".net"])
    if kind == "url":
        scheme, host, port, path = value
        return r.choice([f"{scheme}://{host}{port}/", f"{scheme}://{host}{port}{path}/more", f"{scheme}://x{host}{port}{path}",
                         f"{'http' if scheme == 'https' else 'https'}://{host}{port}{path}", f"{scheme}://{host}:81{path}", f"{scheme}://{host}{port}{path.upper()}"])
    if kind == "mail":
        return r.choice(["x" + value, value + ".org", value.replace("@", "@x"), value.replace("@", "+tag@")])
    if kind == "ja4":
        return r.choice([value[:-1], value + "0", "x" + value, value[:-1] + ("1" if value[-1] == "0" else "0"), value.replace("_", "-", 1), "s" + value[1:]])
    return r.choice([value[:-1], value + "0", value[:-1] + ("1" if value[-1] == "0" else "0"), "g" + value, "-" + value, value + ".exe"])


# --- What is common ----------------------------------------------------------------------------------------------------------------------


class Common:
    """Values of a network that are no indicators: few that come often, many that come once."""

    def __init__(self, seed):
        r = self.rng = random.Random(seed)
        self.inside = [f"10.{r.randint(0, 9)}.{r.randint(0, 255)}.{r.randint(1, 254)}" for _ in range(500)]
        self.names = [f"{label(r)}.{label(r)}{r.choice(TLDS)}" for _ in range(3000)]
        self.paths = ["/" + label(r) + r.choice(["", ".html", ".js?v=1.2.3", "/index.php?q=a%20b"]) for _ in range(500)]
        self.agents = ["Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", "curl/8.5.0", "python-requests/2.31.0"]
        self.texts = ["session opened for user root", "link is down on ge-0/0/1.100", "CPU temperature 71.5 at 12:30:11", "build 1.2.3-4 of x_y.z done",
                      "handled by worker 17 in 0.003 s", "user=alice action=login result=ok"]

    def address(self, r):
        x = r.random()
        if x < 0.6:
            return r.choice(self.inside)
        if x < 0.93:
            return f"{r.randint(52, 126)}.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}"
        return f"2606:{r.getrandbits(16):x}:{r.getrandbits(16):x}::{r.getrandbits(16):x}"

    def name(self, r):
        return r.choice(self.names) if r.random() < 0.7 else f"{label(r)}{r.getrandbits(20)}.{label(r)}.net"
