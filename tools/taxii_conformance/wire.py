"""Requests as the checks need them: any header, any path, any body, no politeness added. Everything that comes is kept for the checks that look at
the whole run (T13, T19, T20, T22, T74)."""
import base64, dataclasses, http.client, json, re, socket, ssl, time, urllib.parse
from decimal import Decimal

TAXII = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version=2.1"


class Unreachable(Exception):
    """No answer: refused, cut, timed out or not HTTP."""


class NotIJson(ValueError):
    """JSON that I-JSON (RFC 7493) forbids."""


def _no_duplicates(pairs):
    out = {}
    for name, value in pairs:
        if name in out:
            raise NotIJson(f"the member {name!r} stands twice")
        out[name] = value
    return out


def _no_constant(name):
    raise NotIJson(f"{name} is no JSON number")


def strict_json(body):
    """The value of `body`, read as I-JSON; numbers that are not integers as Decimal, so that their text can be compared."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise NotIJson("begins with a byte order mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as e:
        raise NotIJson(f"is not UTF-8: {e}") from None
    value = json.loads(text, object_pairs_hook=_no_duplicates, parse_float=Decimal, parse_constant=_no_constant)

    def look(v):
        if isinstance(v, str) and any(0xD800 <= ord(c) <= 0xDFFF for c in v):
            raise NotIJson("holds half a surrogate pair")
        if isinstance(v, dict):
            for k, x in v.items():
                look(k), look(x)
        if isinstance(v, list):
            for x in v:
                look(x)

    look(value)
    return value


def media_type(text):
    """("application/taxii+json", {"version": "2.1"}), names in lower case."""
    head, *rest = (text or "").split(";")
    parameters = {}
    for p in rest:
        name, _, value = p.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"')
    return head.strip().lower(), parameters


@dataclasses.dataclass
class Answer:
    method: str
    path: str
    status: int
    headers: list
    body: bytes
    seconds: float

    def header(self, name):
        """Value of the field, None if it is not there; several are joined as one list."""
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        """The body, or None if it is not JSON (which T19 reports)."""
        try:
            return strict_json(self.body)
        except (ValueError, RecursionError):
            return None

    def resource(self):
        """The body as an object; {} if it is not one."""
        value = self.json()
        return value if isinstance(value, dict) else {}

    def is_taxii(self):
        kind, parameters = media_type(self.header("Content-Type"))
        return kind == "application/taxii+json" and parameters.get("version") == "2.1"

    def __str__(self):
        return f"{self.method} {self.path}: {self.status}"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Wire:
    def __init__(self, url, authorization=None, ca=None, insecure=False, cert=None, cert_key=None, timeout=30.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"not the address of a server: {url}")
        self.https = parts.scheme == "https"
        self.host, self.port = parts.hostname, parts.port or (443 if self.https else 80)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.authorization, self.timeout = authorization, timeout
        self.ca, self.insecure, self.cert, self.cert_key = ca, insecure, cert, cert_key
        self.seen = []
        self.pauses = []  # answers 429 and 503
        self._kept = None

    def context(self, cert=True):
        context = ssl.create_default_context(cafile=self.ca)
        if self.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if cert and self.cert:
            context.load_cert_chain(self.cert, self.cert_key)
        return context

    def connect(self, context=None):
        if not self.https:
            return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=context or self.context())

    def origin_of(self, url):
        """Path of `url` if it is on this server, else None: credentials are for one origin (T81)."""
        if url.startswith("/") and not url.startswith("//"):
            return url
        parts = urllib.parse.urlsplit(url)
        same = parts.hostname == self.host and (parts.port or (443 if parts.scheme == "https" else 80)) == self.port
        return parts.path if same and (parts.scheme == "https") == self.https else None

    def ask(self, method, path, headers=None, body=None, authorization=True, chunked=False, connection=None, keep=True):
        """One request. `headers` replaces the default Accept (None = the TAXII type; {} = none). `authorization`: True = the run's own, None = nothing,
        else the value of the header. A kept connection that the server has closed meanwhile is opened again once."""
        lines = dict({"Accept": TAXII} if headers is None else headers)
        if authorization is True:
            authorization = self.authorization
        if authorization:
            lines.setdefault("Authorization", authorization)
        own = connection is None
        for attempt in (1, 2):
            used = connection or self._kept or self.connect()
            fresh = own and self._kept is None
            if own:
                self._kept = None
            start = time.monotonic()
            try:
                answer = self._exchange(used, method, path, lines, body, chunked)
            except (OSError, http.client.HTTPException, ValueError) as e:
                used.close()
                if attempt == 1 and own and not fresh and not isinstance(e, socket.timeout):
                    continue
                raise Unreachable(f"{method} {path}: {type(e).__name__}: {e}") from None
            answer.seconds = time.monotonic() - start
            if own:
                self._kept = used
            if keep:
                self.seen.append(answer)
            if answer.status in (429, 503):
                self.pauses.append(answer)
            return answer
        raise AssertionError("unreachable")

    def _exchange(self, c, method, path, lines, body, chunked):
        c.putrequest(method, path, skip_accept_encoding=True)
        for name, value in lines.items():
            c.putheader(name, value)
        if body is not None:
            c.putheader(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
        cut = None
        try:
            c.endheaders()
            if body is not None:
                for at in range(0, len(body), 1 << 20):
                    piece = body[at:at + (1 << 20)]
                    c.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                if chunked:
                    c.send(b"0\r\n\r\n")
        except OSError as e:  # a server may refuse a body that it has not read to its end; its answer may be there
            if c.sock is None:  # not even connected
                raise
            cut = e
        try:
            r = c.getresponse()
            text = r.read()
        except (OSError, http.client.HTTPException):
            raise cut or ConnectionError("the connection ended without an answer") from None
        if cut:
            c.close()
        return Answer(method, path, r.status, r.getheaders(), text, 0.0)


TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UUID4 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")


def is_timestamp(text):
    """A TAXII timestamp: UTC, exactly six digits (T22)."""
    return isinstance(text, str) and TIMESTAMP.fullmatch(text) is not None


def is_uuid4(text):
    return isinstance(text, str) and UUID4.fullmatch(text) is not None


def shifted(text, microseconds):
    """A TAXII timestamp moved by some microseconds."""
    import datetime
    t = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ") + datetime.timedelta(microseconds=microseconds)
    return t.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
