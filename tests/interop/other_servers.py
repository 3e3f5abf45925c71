"""TAXII 2.1 servers of others, as they are published, each from a virtual environment of its own: medallion (memory) and OpenTAXII (SQLite). For interop tests
and for the bench. Each function prepares a folder and gives (command, environment, root, collection); plain HTTP on loopback.
"""
import json, os, pathlib, sqlite3, subprocess, uuid

USER, PASSWORD = "admin", "Password-4711"
ROOT, COLLECTION = "trustgroup1", "91a7b528-80eb-42ed-a74d-c6fbd5a26116"


def installed(venv, which):
    python = pathlib.Path(venv) / "bin" / "python"
    return python.exists() and subprocess.run([python, "-c", f"import {which}"], capture_output=True).returncode == 0


def medallion(venv, tmp, port, page=100):
    data = {"/discovery": {"title": "Others' server", "default": f"http://127.0.0.1:{port}/{ROOT}/", "api_roots": [f"http://127.0.0.1:{port}/{ROOT}/"]},
            ROOT: {"information": {"title": "Root", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625}, "status": [],
                   "collections": [{"id": COLLECTION, "title": "Everything", "can_read": True, "can_write": True, "media_types": ["application/stix+json;version=2.1"], "objects": [], "manifest": []}]}}
    (tmp / "data.json").write_text(json.dumps(data))
    (tmp / "config.json").write_text(json.dumps({"backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": str(tmp / "data.json")}, "users": {USER: PASSWORD}, "taxii": {"max_page_size": page}}))
    return [venv / "bin" / "python", "-m", "medallion.scripts.run", "--host", "127.0.0.1", "--port", str(port), tmp / "config.json"], {}, f"/{ROOT}/", COLLECTION


def opentaxii(venv, tmp, port, page=100):
    (tmp / "opentaxii.yml").write_text(f"""
domain: "127.0.0.1:{port}"
support_basic_auth: yes
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters: {{db_connection: "sqlite:///{tmp}/auth.db", create_tables: yes, secret: "a-secret-of-this-test-that-is-long-enough-for-its-hash", token_ttl_secs: 3600}}
taxii1:
taxii2:
  public_discovery: true
  title: "Others' server"
  max_content_length: 9765625
  default_pagination_limit: {page}
  max_pagination_limit: 1000
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters: {{db_connection: "sqlite:///{tmp}/data.db", create_tables: yes}}
""")
    environment = {"OPENTAXII_CONFIG": str(tmp / "opentaxii.yml")}
    all_of = {**os.environ, **environment}

    def tool(name, *args):
        r = subprocess.run([venv / "bin" / name, *args], env=all_of, capture_output=True, text=True, timeout=120)
        if r.returncode != 0:
            raise SystemExit(f"taxii_servers: {name}: {r.stdout[-1500:]}{r.stderr[-1500:]}")

    tool("opentaxii-create-account", "-u", USER, "-p", PASSWORD, "--admin")
    tool("opentaxii-add-api-root", "-t", "Root", "--default")
    with sqlite3.connect(tmp / "data.db") as db:
        root = db.execute("select id from opentaxii_api_root").fetchone()[0]
    tool("opentaxii-add-collection", "-r", str(uuid.UUID(str(root))), "-t", "Everything", "-d", "all", "-a", "all", "--public", "--public-write")
    with sqlite3.connect(tmp / "data.db") as db:
        collection = db.execute("select id from opentaxii_collection").fetchone()[0]
    # 0.9.3 answers 500 to every list of collections, because its JSON writer does not know UUIDs (its issue 289): it is told here, nothing else is.
    code = "import json, uuid; json.JSONEncoder.default = lambda self, o: str(o)\n"
    code += f"from opentaxii.cli import app; app.run(host='127.0.0.1', port={port}, threaded=False)"
    return [venv / "bin" / "python", "-c", code], environment, f"/taxii2/{uuid.UUID(str(root))}/", str(uuid.UUID(str(collection)))
