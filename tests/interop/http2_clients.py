#!/usr/bin/env python3
"""HTTP/2 with clients as others publish them: curl and httpx against a node. Answers, ETag and 304, content coding, parallel long polls on one connection,
uploads above every window, HTTP/1.1 beside it, and a stop that lets what was begun finish.

    http2_clients.py ENTENTE

Status 77 (skipped) where a client is not installed (tests/requirements.txt; curl with HTTP/2).
"""
import asyncio, json, pathlib, shutil, subprocess, sys, tempfile, time, uuid

sys.dont_write_bytecode = True
try:
    import httpx, h2  # noqa: F401
except ImportError:
    print("SKIPPED: httpx[http2] is not installed (tools/setup test)")
    sys.exit(77)
if not shutil.which("curl") or "HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout:
    print("SKIPPED: there is no curl that speaks HTTP/2")
    sys.exit(77)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import crash_test as nodes  # noqa: E402  Node

FAULTS = []


def expect(holds, what):
    if not holds:
        FAULTS.append(what)
        print("FAULT:", what, flush=True)


def indicators(n, pad=300):
    out = []
    for _ in range(n):
        i = uuid.uuid4()
        out.append({"type": "indicator", "spec_version": "2.1", "id": f"indicator--{i}", "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
                    "pattern": f"[domain-name:value = '{i}.example']", "valid_from": "2026-01-01T00:00:00Z", "description": "x" * pad, "object_marking_refs": [nodes.GREEN]})
    return out


def curl(node, folder, *more):
    out = subprocess.run(["curl", "-sk", "--max-time", "30", "-D", f"{folder}/head", "-o", f"{folder}/body", "-w", "%{http_version} %{http_code}", "-H", f"Authorization: Bearer {node.token}",
                          *([] if any(m.startswith("Accept: ") for m in more) else ["-H", f"Accept: {nodes.MEDIA}"]), *more], capture_output=True, text=True).stdout.split()
    head = {k.lower(): v for k, _, v in (line.partition(": ") for line in pathlib.Path(folder, "head").read_text().splitlines()) if v}
    return out[0], int(out[1]), head, pathlib.Path(folder, "body").read_bytes() if pathlib.Path(folder, "body").exists() else b""


def with_curl(node, folder, ids):
    url = f"https://127.0.0.1:{node.port}"
    for flag, version in (("--http2", "2"), ("--http1.1", "1.1"), ("--http2", "2")):
        got, status, head, body = curl(node, folder, flag, f"{url}/local/collections/")
        expect((got, status) == (version, 200) and json.loads(body)["collections"], f"curl {flag}: {got} {status}")
        tag = head["etag"]
        got, status, head, body = curl(node, folder, flag, "-H", f"If-None-Match: {tag}", f"{url}/local/collections/")
        expect(status == 304 and head["etag"] == tag, f"curl {flag}: {status} for what it has")
        page = f"{url}/local/collections/inbox/objects/?limit=10000"
        got, status, head, plain = curl(node, folder, flag, page)
        given = [o["id"] for o in json.loads(plain)["objects"] if o["type"] == "indicator"]  # beside the node's own identity
        expect(given == ids and "content-encoding" not in head, f"curl {flag}: a page as it is: {len(given)} of {len(ids)}, {head}")
        got, status, head, body = curl(node, folder, flag, "-H", "Accept-Encoding: gzip", page)
        import gzip
        expect(head.get("content-encoding") == "gzip" and "accept-encoding" in head.get("vary", "").lower() and gzip.decompress(body) == plain, f"curl {flag}: a page as gzip")
        expect(len(body) < len(plain) / 2, f"curl {flag}: gzip saves nothing")
        got, status, head, body = curl(node, folder, flag, "--compressed", page)
        expect(status == 200 and body == plain, f"curl {flag} --compressed")
        got, status, head, body = curl(node, folder, flag, "-H", "Accept: application/json", "-H", "Accept-Encoding: gzip", f"{url}/api/v1/status")
        expect(status == 200 and "content-encoding" not in head, f"curl {flag}: an answer of the API was coded: {status} {head}")
        got, status, head, body = curl(node, folder, flag, "-H", "Content-Encoding: gzip", "-H", f"Content-Type: {nodes.MEDIA}", "--data-binary", "x", f"{url}/local/collections/inbox/objects/")
        expect(status == 415 and head.get("accept-encoding") == "identity", f"curl {flag}: a coded body got {status}")


async def with_httpx(node, ids):
    headers = {"Authorization": f"Bearer {node.token}", "Accept": nodes.MEDIA}
    sightings = "/local/collections/sightings/objects/"
    post = {"headers": {"Content-Type": nodes.MEDIA}}
    async with httpx.AsyncClient(http2=True, verify=False, headers=headers, base_url=f"https://127.0.0.1:{node.port}", timeout=30) as c:
        r = await c.get("/taxii2/")
        expect(r.http_version == "HTTP/2" and r.status_code == 200 and r.json()["api_roots"], f"httpx: {r.http_version} {r.status_code}")
        r = await c.get("/local/collections/inbox/objects/", params={"limit": 10_000})
        expect([o["id"] for o in r.json()["objects"] if o["type"] == "indicator"] == ids, "httpx: a page")
        # An upload far above the windows, and while it runs other requests on the same connection.
        body = json.dumps({"objects": indicators(3000, 3000)})
        upload, *asked = await asyncio.gather(c.post("/local/collections/inbox/objects/", content=body, **post), *[c.get("/taxii2/") for _ in range(20)])
        expect([a.status_code for a in asked] == [200] * 20 and upload.status_code == 202 and upload.json()["failure_count"] == 0, f"httpx: an upload of {len(body)} octets")
        # Thirty long polls at once on one connection: all held, all woken by one object.
        last = (await c.get("/local/collections/sightings/manifest/")).headers.get("X-TAXII-Date-Added-Last", "2020-01-01T00:00:00.000000Z")

        async def wait(after):
            r = await c.get(sightings, params={"added_after": after}, headers={"Prefer": "wait=20"})
            return r.status_code, len(r.json().get("objects", [])), r.headers.get("Preference-Applied")

        waiting = [asyncio.create_task(wait(last)) for _ in range(30)]
        await asyncio.sleep(0.7)
        early = sum(w.done() for w in waiting)
        expect(early == 0, f"httpx: {early} long polls were answered before there was anything")
        begin = time.monotonic()
        await c.post(sightings, content=json.dumps({"objects": indicators(1)}), **post)
        answers = await asyncio.gather(*waiting)
        expect(answers == [(200, 1, "wait=20")] * 30 and time.monotonic() - begin < 5, f"httpx: long polls woken in {time.monotonic() - begin:.1f} s: {set(answers)}")
        # The node stops while a poll is held: it is answered, not cut.
        held = asyncio.create_task(wait("2099-01-01T00:00:00Z"))
        await asyncio.sleep(0.5)
        begin = time.monotonic()
        node.process.terminate()
        try:
            late = (await held)[0]
        except httpx.HTTPError as e:
            late = repr(e)
        await asyncio.to_thread(node.process.wait, 20)
        expect(late == 200 and time.monotonic() - begin < 4, f"httpx: a poll held while the node stopped got {late} in {time.monotonic() - begin:.1f} s")


def main():
    with tempfile.TemporaryDirectory(prefix="entente-h2-") as folder:
        node = nodes.Node(folder + "/node", "JP")
        log = pathlib.Path(folder, "node/access.log")
        config = pathlib.Path(folder, "node/entente.toml")
        config.write_text(config.read_text().replace("# access_log = ", "access_log = "))
        node.start()
        try:
            objects = indicators(1500)
            node.ask(node.connect(), "POST", "/local/collections/inbox/objects/", json.dumps({"objects": objects}))
            ids = [o["id"] for o in objects]
            with_curl(node, folder, ids)
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            expect({line["http"] for line in lines} == {"1.1", "2"}, "the access log names both versions")
            page = [line for line in lines if line["path"] == "/local/collections/inbox/objects/" and line["method"] == "GET" and line["http"] == "2"]
            expect(page and all(line["status"] == 200 and line["octets"] > 1000 and line.get("who") for line in page), f"the access log knows the pages: {page[:1]}")
            expect(node.token not in log.read_text() and "limit=" not in log.read_text(), "the access log holds a secret or a query")
            log.rename(log.with_suffix(".1"))
            node.process.send_signal(1)
            time.sleep(0.5)
            node.ask(node.connect(), "GET", "/taxii2/")
            expect(log.exists() and json.loads(log.read_text().splitlines()[-1])["path"] == "/taxii2/", "after SIGHUP the access log is a new file")
            connection = node.connect()
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            expect('entente_http_endpoint_answers_total{endpoint="objects",code="2xx"}' in text and 'entente_http_endpoint_seconds_count{endpoint="objects"}' in text, "no figures per endpoint")
            asyncio.run(with_httpx(node, ids))
        finally:
            if node.process.poll() is None:
                node.process.kill()
                node.process.wait()
    print("HTTP/2 clients:", "all well" if not FAULTS else f"{len(FAULTS)} fault(s)")
    return 1 if FAULTS else 0


if __name__ == "__main__":
    sys.exit(main())
