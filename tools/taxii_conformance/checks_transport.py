"""T1–T11: transport, TLS, who asks."""
import os, shutil, socket, ssl, subprocess, tempfile

from .session import NotTestable, check, query
from .wire import TAXII, Unreachable, basic


def _tls(s):
    if not s.wire.https:
        raise NotTestable("the server is not asked over TLS")


def _offered(s, least, most, ciphers=None):
    """Does a handshake with these versions and suites succeed?"""
    context = s.wire.context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.minimum_version, context.maximum_version = least, most
        if ciphers:
            context.set_ciphers(ciphers)
    except (ssl.SSLError, ValueError):
        return None  # this OpenSSL cannot even offer it
    try:
        with socket.create_connection((s.wire.host, s.wire.port), 10) as raw, context.wrap_socket(raw, server_hostname=s.wire.host) as tls:
            return tls.version(), tls.cipher()[0]
    except OSError:
        return False


@check("T1", "must", "TAXII is served over HTTPS; TLS 1.2 is accepted, TLS 1.3 should be; plain HTTP on the same port gets no TAXII.")
def t1(s):
    s.must(s.wire.https, "the server is not asked over HTTPS")
    if not s.wire.https:
        return
    s.must(_offered(s, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2), "a TLS 1.2 handshake fails")
    s.should(_offered(s, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3), "a TLS 1.3 handshake fails")
    try:
        with socket.create_connection((s.wire.host, s.wire.port), 5) as raw:
            raw.settimeout(5)
            raw.sendall(f"GET /taxii2/ HTTP/1.1\r\nHost: {s.wire.host}\r\nAccept: {TAXII}\r\nConnection: close\r\n\r\n".encode())
            text = raw.recv(4096)
    except OSError:
        text = b""
    s.must(not text.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")), "the TLS port answers TAXII over plain HTTP")


@check("T2", "must", "TLS 1.3 early data (0-RTT) is not offered.")
def t2(s):
    _tls(s)
    if not shutil.which("openssl"):
        raise NotTestable("needs the openssl program: the session ticket says it, and Python does not show that")
    r = subprocess.run(["openssl", "s_client", "-connect", f"{s.wire.host}:{s.wire.port}", "-tls1_3", "-ign_eof"], input=f"GET /taxii2/ HTTP/1.1\r\nHost: {s.wire.host}\r\nConnection: close\r\n\r\n",
                       capture_output=True, text=True, timeout=20, errors="replace")
    limits = [line.split(":")[1].strip() for line in r.stdout.splitlines() if "Max Early Data" in line]
    if not limits:
        raise NotTestable("the server sent no TLS 1.3 session ticket: without one there is no early data")
    s.must(all(n == "0" for n in limits), f"session tickets allow {max(limits)} octets of early data")


@check("T3", "should", "TLS 1.2 with a suite of RFC 7540 Appendix A (CBC, RC4, static RSA key exchange) is not accepted, nor is anything before TLS 1.2.")
def t3(s):
    _tls(s)
    tried = 0
    for suites in ("AES128-SHA:@SECLEVEL=0", "AES256-GCM-SHA384:@SECLEVEL=0", "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0",
                   "ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0", "DHE-RSA-AES128-SHA:@SECLEVEL=0"):
        got = _offered(s, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, suites)
        if got is None:
            continue
        tried += 1
        s.should(not got, f"TLS 1.2 with {got and got[1]} is accepted")
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        got = _offered(s, version, version, "DEFAULT:@SECLEVEL=0")
        if got is not None:
            s.should(not got, f"{got and got[0]} is accepted")
    if not tried:
        raise NotTestable("the OpenSSL of this Python cannot offer such suites")


def _open(s):
    """Does the server answer without any credential? Then authentication is switched off."""
    if not s.wire.authorization and not s.wire.cert:
        return True
    bare = s.wire.connect(s.wire.context(cert=False)) if s.wire.https else s.wire.connect()
    path = f"{s.root}collections/" if s.root else "/taxii2/"
    return s.get(path, authorization=None, connection=bare).status == 200


def _bare(s, method, path, headers=None, body=None, authorization=None):
    """A request with no client certificate and only this credential."""
    c = s.wire.connect(s.wire.context(cert=False)) if s.wire.https else s.wire.connect()
    try:
        return s.wire.ask(method, path, headers, body, authorization=authorization, connection=c)
    finally:
        c.close()


@check("T4", "should", "The server offers HTTP Basic, the one scheme that every client has.")
def t4(s):
    s.need_root()
    if _open(s):
        raise NotTestable("the server asks for no credential")
    a = _bare(s, "GET", f"{s.root}collections/")
    offered = (a.header("WWW-Authenticate") or "").lower()
    s.should("basic" in offered or (s.wire.authorization or "").startswith("Basic "), f"no Basic challenge: WWW-Authenticate: {offered or 'absent'}")


@check("T5", "must", "A missing or wrong credential gets 401 with a challenge (or 404) on every endpoint and method.")
def t5(s):
    s.need_collection()
    if _open(s):
        raise NotTestable("the server asks for no credential")
    oid = s.window[0]["id"] if s.window else "indicator--00000000-0000-4000-8000-000000000000"
    endpoints = [("GET", s.root), ("GET", f"{s.root}collections/"), ("GET", s.at()), ("GET", s.at("manifest/")), ("GET", s.at("objects/")), ("GET", s.at(f"objects/{oid}/")),
                 ("GET", s.at(f"objects/{oid}/versions/")), ("DELETE", s.at(f"objects/{oid}/")), ("POST", s.at("objects/")), ("GET", f"{s.root}status/00000000-0000-4000-8000-000000000000/")]
    for what, credential in (("without a credential", None), ("with a wrong password", basic("nobody", "wrong-password")), ("with an unknown scheme", "Unknown x"), ("with broken Basic", "Basic %%%")):
        for method, path in endpoints if credential is None else endpoints[1:5]:
            body = b'{"objects":[]}' if method == "POST" else None
            a = _bare(s, method, path, {"Accept": TAXII, **({"Content-Type": TAXII} if body else {})}, body, credential)
            s.must(a.status in (401, 404), f"{a} {what}")
            if a.status == 401:
                s.must(a.header("WWW-Authenticate"), f"{a} {what} has no WWW-Authenticate")


@check("T6", "must", "Who is known and not permitted gets 403 or 404, and nothing that tells a hidden collection from one that does not exist.")
def t6(s):
    s.need_collection()
    stranger = s.other("stranger")
    unknown = {"id": "11111111-1111-4111-8111-111111111111"}
    for rest in ("", "manifest/", "objects/", "objects/indicator--11111111-1111-4111-8111-111111111111/"):
        hidden, absent = s.get(s.at(rest), authorization=stranger), s.get(s.at(rest, unknown), authorization=stranger)
        s.must(hidden.status in (403, 404), f"{hidden} for who may not know it")
        bodies = [a.body.replace(c["id"].encode(), b"ID").replace(b"11111111-1111-4111-8111-111111111111", b"ID") for a, c in ((hidden, s.collection), (absent, unknown))]
        s.must(hidden.status == absent.status and bodies[0] == bodies[1], f"{rest or 'collection'}: hidden answers {hidden.status}, absent {absent.status}, or their texts differ")


@check("T7", "must", "Roots and collections may be shown by right; what is left out leaves valid resources.")
def t7(s):
    s.need_root()
    if not s.others:
        raise NotTestable("needs a second credential: give --also")
    for o in s.others:
        d = s.get("/taxii2/", authorization=o["authorization"])
        s.must(d.status in (200, 401, 403, 404), f"{d} for another credential")
        for root in d.resource().get("api_roots") or []:
            path = s.wire.origin_of(root)
            if path:
                a = s.get(path, authorization=o["authorization"])
                s.must(a.status in (200, 401, 403, 404), f"{a} for another credential")
                a = s.get(path + "collections/", authorization=o["authorization"])
                s.must(a.status in (200, 401, 403, 404), f"{a} for another credential")
                for c in a.resource().get("collections") or []:
                    s.must({"id", "title", "can_read", "can_write"} <= set(c), f"a collection shown to another credential lacks required properties: {sorted(c)}")


@check("T8", "must", "A client certificate, where it is used, is judged: one that nobody knows opens nothing.")
def t8(s):
    _tls(s)
    s.need_root()
    if _open(s):
        raise NotTestable("the server asks for no credential")
    if s.wire.cert:
        s.must(s.get(s.root, authorization=None).status == 200, "the client certificate of this run is not enough for the API root")
    if not shutil.which("openssl"):
        raise NotTestable("needs the openssl program to make a certificate that nobody knows")
    with tempfile.TemporaryDirectory() as folder:
        cert, key = os.path.join(folder, "c.pem"), os.path.join(folder, "k.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=nobody", "-keyout", key, "-out", cert], capture_output=True, timeout=60, check=True)
        context = s.wire.context(cert=False)
        context.load_cert_chain(cert, key)
        try:
            a = s.get(f"{s.root}collections/", authorization=None, connection=s.wire.connect(context))
            s.must(a.status in (401, 403, 404), f"{a} with a certificate that nobody knows")
        except Unreachable:
            s.must(True, "refused in the handshake")


@check("T9", "should", "A request without User-Agent is answered.")
def t9(s):
    a = s.get("/taxii2/")  # http.client sends none
    s.should(a.status == 200, f"{a} without User-Agent")


@check("T10", "must", "A method that a path does not have gets 405 with Allow.")
def t10(s):
    s.need_collection()
    oid = s.window[0]["id"] if s.window else "indicator--00000000-0000-4000-8000-000000000000"
    for method, path in (("PUT", "/taxii2/"), ("DELETE", f"{s.root}collections/"), ("POST", s.at("manifest/")), ("PATCH", s.at("objects/")), ("POST", s.root), ("DELETE", s.at(f"objects/{oid}/versions/"))):
        a = s.wire.ask(method, path, body=b"{}" if method in ("PUT", "POST", "PATCH") else None)
        s.advice(a.status == 405, f"{a} instead of 405")
        if a.status == 405:
            s.must("GET" in (a.header("Allow") or ""), f"{a} has no Allow that names GET")


@check("T11", "must", "DNS discovery, where it is published: the SRV record of _taxii2._tcp.")
def t11(s):
    raise NotTestable("a record in DNS, not an answer of the server; look with: dig SRV _taxii2._tcp.DOMAIN")
