#!/usr/bin/env python3
"""A client behind a proxy (RFC 9110 §9.3.6): `entente taxii` and a feed go through HTTP CONNECT, TLS inside is checked as without, and what a proxy refuses or
breaks is said.

    proxy_test.py ENTENTE
"""
import base64, os, pathlib, select, socket, subprocess, sys, tempfile, threading

sys.dont_write_bytecode = True
ENTENTE = sys.argv[1]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "conformance"))
from broken_server import certificate, serve  # noqa: E402

FAILED = []


def check(what, good, detail=""):
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
    if not good:
        FAILED.append(what)


class Proxy(threading.Thread):
    """A real CONNECT proxy: a head is read, a connection made, octets are carried both ways. `mode` breaks it."""

    def __init__(self, mode="", login=None):
        super().__init__(daemon=True)
        self.mode, self.login, self.asked, self.target = mode, login, [], None
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            peer, _ = self.server.accept()
            threading.Thread(target=self.carry, args=(peer,), daemon=True).start()

    def carry(self, peer):
        with peer:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                octets = peer.recv(4096)
                if not octets:
                    return
                head += octets
            lines = head.decode().split("\r\n")
            self.asked.append(lines[0])
            want = self.login and "Proxy-Authorization: Basic " + base64.b64encode(self.login.encode()).decode()
            if want and want not in lines:
                peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\nContent-Length: 0\r\n\r\n")
            elif self.mode == "refuses":
                peer.sendall(b"HTTP/1.1 403 Not for you\r\n\r\n")
            elif self.mode == "endless":
                try:
                    while True:
                        peer.sendall(b"X" * 4096)
                except OSError:
                    pass
            elif self.mode == "closes":
                return
            elif self.mode == "no_http":
                peer.sendall(b"SSH-2.0-x\r\n\r\n")
            else:
                host, port = self.target or lines[0].split()[1].rsplit(":", 1)
                with socket.create_connection((host.strip("[]"), int(port))) as far:
                    peer.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
                    while True:
                        for s in select.select([peer, far], [], [])[0]:
                            octets = s.recv(65536)
                            if not octets:
                                return
                            (far if s is peer else peer).sendall(octets)


def main(tmp):
    cert, key = certificate(str(tmp))
    server, port = serve((), cert, key)
    (tmp / "token").write_text("full\n")
    clean = {k: v for k, v in os.environ.items() if k.lower() not in ("https_proxy", "no_proxy", "http_proxy")}

    def run(*args, host="127.0.0.1", **environment):
        return subprocess.run([ENTENTE, "-o", "json", "taxii", "discover", f"https://{host}:{port}", "--ca", cert, "--token-file", tmp / "token", "--retries", "0", *args],
                              capture_output=True, text=True, timeout=60, env={**clean, **environment})

    p = Proxy()
    r = run("--proxy", f"http://127.0.0.1:{p.port}")
    check("through a proxy", r.returncode == 0 and p.asked == [f"CONNECT 127.0.0.1:{port} HTTP/1.1"], (r, p.asked))
    r = run("--proxy", f"http://127.0.0.1:{p.port}", "--pin", "00" * 32)
    check("TLS inside is checked as without", r.returncode == 2 and not r.stdout and "key" in r.stderr, r)
    p = Proxy(login="user:pass word")
    r = run("--proxy", f"http://user:pass%20word@127.0.0.1:{p.port}")
    check("with a login", r.returncode == 0, r)
    r = run("--proxy", f"http://user:wrong-secret@127.0.0.1:{p.port}")
    check("with a wrong one: said, without it", r.returncode == 2 and "407" in r.stderr and "wrong-secret" not in r.stderr, r)
    for mode, word in (("refuses", "403"), ("endless", "does not end"), ("closes", "proxy"), ("no_http", "SSH")):
        r = run("--proxy", f"http://127.0.0.1:{Proxy(mode).port}")
        check(f"a proxy that is wrong is said: {mode}", r.returncode == 2 and word in r.stderr, r)
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = free.getsockname()[1]
    check("no proxy there", run("--proxy", f"http://127.0.0.1:{dead}").returncode == 2)
    check("a proxy's URL is http://", run("--proxy", "socks5://127.0.0.1:1").returncode != 0)
    # The environment: a name that only the proxy can resolve.
    p = Proxy()
    p.target = ("127.0.0.1", port)
    name, url = "taxii.partner.example", f"http://127.0.0.1:{p.port}"
    r = run("--pin", "00" * 32, host=name, https_proxy=url)
    check("https_proxy is used, and the proxy resolves the name", p.asked == [f"CONNECT {name}:{port} HTTP/1.1"], (r, p.asked))
    for no_proxy, used in (("other.example", True), ("partner.example", False), (".partner.example", False), ("*", False), ("ner.example", True), (f"x.example, {name}:{port}", False), (f"{name}:1", True)):
        p.asked.clear()
        r = run(host=name, HTTPS_PROXY=url, no_proxy=no_proxy)
        check(f"no_proxy={no_proxy}: {'used' if used else 'not used'}", bool(p.asked) == used, (r, p.asked))
    p.asked.clear()
    check("--proxy none is above the environment", run("--proxy", "none", host=name, https_proxy=url).returncode == 2 and not p.asked)
    check("loopback is never asked for through the environment's", run(https_proxy=f"http://127.0.0.1:{dead}").returncode == 0)
    server.shutdown()
    server.server_close()


with tempfile.TemporaryDirectory(prefix="entente-proxy-") as folder:
    main(pathlib.Path(folder))
print(f"{len(FAILED)} wrong" if FAILED else "all as it should be")
sys.exit(1 if FAILED else 0)
