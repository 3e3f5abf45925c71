#!/usr/bin/env python3
"""Pages and posts of other TAXII 2.1 servers, for the table of bench/run: over plain HTTP, which is to their advantage.

    bench/taxii_peers.py medallion|opentaxii VENV OBJECTS_FILE SECONDS

OBJECTS_FILE: an envelope as a node of entente gave it out; it is what they are filled with. One JSON object on standard output.
"""
import base64, http.client, json, os, pathlib, socket, statistics, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "interop"))
import other_servers  # noqa: E402

MEDIA = "application/taxii+json;version=2.1"


def main():
    which, venv, objects, seconds = sys.argv[1], pathlib.Path(sys.argv[2]).absolute(), json.loads(pathlib.Path(sys.argv[3]).read_text())["objects"], float(sys.argv[4])
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="entente-peers-") as folder:
        tmp = pathlib.Path(folder)
        command, environment, root, collection = getattr(other_servers, which)(venv, tmp, port, page=1000)
        server = subprocess.Popen([*map(str, command)], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp)
        headers = {"Accept": MEDIA, "Content-Type": MEDIA, "Authorization": "Basic " + base64.b64encode(f"{other_servers.USER}:{other_servers.PASSWORD}".encode()).decode()}

        def ask(method, path, body=None):
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            c.request(method, path, body, headers)
            r = c.getresponse()
            text = r.read()
            c.close()
            if r.status >= 300:
                raise SystemExit(f"taxii_peers: {which}: {r.status} {text[:300]!r}")
            return text

        try:
            end = time.monotonic() + 30
            while True:
                try:
                    ask("GET", "/taxii2/")
                    break
                except OSError:
                    if time.monotonic() > end or server.poll() is not None:
                        raise SystemExit(f"taxii_peers: {which} did not start")
                    time.sleep(0.2)
            place = f"{root}collections/{collection}/objects/"
            begin = time.monotonic()
            ask("POST", place, json.dumps({"objects": objects}))
            posted = len(objects) / (time.monotonic() - begin)

            def times(path, check=None):
                took, end = [], time.monotonic() + seconds
                while time.monotonic() < end or len(took) < 3:
                    begin = time.monotonic()
                    text = ask("GET", path)
                    took.append(time.monotonic() - begin)
                    if check is not None and len(json.loads(text)["objects"]) != check:
                        raise SystemExit(f"taxii_peers: {which} gave {len(json.loads(text)['objects'])} of {check} objects")
                return statistics.median(took)

            page = times(f"{place}?limit={len(objects)}", len(objects))
            small = times(f"{root}collections/")
            print(json.dumps({"server": which, "objects": len(objects), "page_ms": round(page * 1000, 1), "small_ms": round(small * 1000, 2), "post_objects_per_s": round(posted)}))
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
