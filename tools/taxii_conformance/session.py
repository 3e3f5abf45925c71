"""A run: the server, what was found there, what was written there, and the results."""
import json, random, urllib.parse, uuid

from .wire import TAXII, Unreachable, Wire, is_timestamp

LEVELS = ("must", "should", "advice")  # of the standard; advice: where it leaves a point open and experience does not
CHECKS = {}  # number -> Check, in order


class NotTestable(Exception):
    """This number cannot be judged in this run; the text says why and what would help."""


class Check:
    def __init__(self, number, level, requirement, run):
        self.number, self.level, self.requirement, self.run = number, level, requirement, run


def check(number, level, requirement):
    """Registers the one check of a checklist number. `level` is the highest level that it looks at."""
    def add(run):
        if number in CHECKS or level not in LEVELS:
            raise AssertionError(number)
        CHECKS[number] = Check(number, level, requirement, run)
        return run
    return add


class Result:
    def __init__(self, check):
        self.number, self.level, self.requirement = check.number, check.level, check.requirement
        self.result, self.detail, self.failures, self.looked_at = "", "", [], 0

    def failing_level(self):
        return min((LEVELS.index(level) for level, _ in self.failures), default=len(LEVELS))


def query(options):
    """A query string; lists are written as they are, so that a parameter can stand twice."""
    pairs = options.items() if isinstance(options, dict) else options
    text = "&".join(f"{urllib.parse.quote(str(k), safe='[]')}={urllib.parse.quote(str(v), safe=',:')}" for k, v in pairs)
    return "?" + text if text else ""


class Session:
    def __init__(self, wire: Wire, root=None, collection=None, others=(), read_only=False, max_upload=80 << 20, other_url_roots=False):
        self.wire, self.others, self.read_only, self.max_upload = wire, list(others), read_only, max_upload
        self.asked_root, self.asked_collection = root, collection
        self.now = None  # the Result being made
        self.discovery, self.roots, self.root, self.collection = {}, [], None, None
        self.collections, self.statuses, self.seed, self.no_seed = [], [], None, "nothing was written"
        self.refused = None  # why valid objects were not taken, if so: T62 reports it
        self.base, self.window = {}, []
        self.rng = random.Random()

    # What a check says.
    def _say(self, level, good, text):
        self.now.looked_at += 1
        if not good:
            self.now.failures.append((level, str(text)))
        return bool(good)

    def must(self, good, text):
        return self._say("must", good, text)

    def should(self, good, text):
        return self._say("should", good, text)

    def advice(self, good, text):
        return self._say("advice", good, text)

    def run(self, check):
        self.now = result = Result(check)
        try:
            check.run(self)
            if result.looked_at == 0:
                raise NotTestable("the server offers nothing on which this could be seen")
        except NotTestable as e:
            if not result.failures:
                result.result, result.detail = "not testable", str(e)
        except Unreachable as e:
            result.failures.append(("must", f"no answer: {e}"))
        if not result.result:
            result.result = "fail" if result.failures else "pass"
            result.detail = "; ".join(f"[{level}] {text}" for level, text in result.failures[:6])
            if len(result.failures) > 6:
                result.detail += f"; and {len(result.failures) - 6} more"
        return result

    # Requests.
    def get(self, path, options=(), **more):
        return self.wire.ask("GET", path + query(options), **more)

    def at(self, rest="", collection=None):
        """Path below the collection under test."""
        name = (collection or self.collection)["id"]
        return f"{self.root}collections/{urllib.parse.quote(name, safe='')}/{rest}"

    def objects(self, options=(), **more):
        return self.get(self.at("objects/"), options, **more)

    def manifest(self, options=(), **more):
        return self.get(self.at("manifest/"), options, **more)

    def object(self, oid, options=(), rest="", **more):
        return self.get(self.at(f"objects/{oid}/{rest}"), options, **more)

    def post(self, body, headers=None, **more):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self.wire.ask("POST", self.at("objects/"), {"Accept": TAXII, "Content-Type": TAXII} if headers is None else headers, body, **more)

    def settle(self, answer, seconds=20.0):
        """The final status of a POST: asks until it is complete (T64, T79)."""
        import time
        status, end = answer.resource(), time.monotonic() + seconds
        while status.get("status") == "pending" and time.monotonic() < end:
            time.sleep(0.1)
            again = self.get(f"{self.root}status/{status.get('id')}/")
            if again.status != 200:
                break
            status = again.resource()
        return status

    def add(self, *objects):
        """Writes objects and waits until the server has them; their final status."""
        answer = self.post({"objects": list(objects)})
        if answer.status not in (200, 201, 202):
            raise NotTestable(f"the server did not take test objects: {answer} {answer.body[:200]!r}")
        self.statuses.append(answer)
        return self.settle(answer)

    def delete(self, oid, options=(), **more):
        return self.wire.ask("DELETE", self.at(f"objects/{oid}/") + query(options), **more)

    def pages(self, path, options, by="next", most=400, drop=(), enough=None):
        """Answers page by page. by "next": repeats the options with the cursor; by "added_after": goes on from the Last header. `drop`: options
        that a careless client leaves out from page two on. Ends on what is no page."""
        options, out, last = dict(options), [], None
        for _ in range(most):
            answer = self.get(path, options)
            out.append(answer)
            page = answer.resource()
            if answer.status != 200 or page.get("more") is not True:
                return out
            if enough is not None and sum(len(p.resource().get("objects", p.resource().get("versions", []))) for p in out) >= enough:
                return out
            for name in drop:
                options.pop(name, None)
            if by == "next":
                if not page.get("next"):
                    raise NotTestable("pages cannot be followed: \"more\" without \"next\" (see T41)")
                options["next"] = page["next"]
            else:
                last, before = answer.header("X-TAXII-Date-Added-Last"), last
                if not is_timestamp(last) or last == before:
                    self.must(False, f"page {len(out)} cannot be followed by its X-TAXII-Date-Added-Last: {last!r}")
                    return out
                options["added_after"] = last
        self.must(False, f"more than {most} pages: the sequence does not end")
        return out

    def provoke(self):
        """Errors of some kinds, so that there are some to be looked at."""
        if self.root:
            self.get(f"{self.root}collections/no-such-collection/")
            self.get(f"{self.root}collections/", headers={"Accept": "text/html"})
        if self.collection:
            self.objects({"limit": "x"})

    # What checks need.
    def need_root(self):
        if not self.root:
            raise NotTestable("no API root could be read (see T25, T28)")

    def need_collection(self):
        self.need_root()
        if not self.collection:
            raise NotTestable("there is no collection that this credential may read")

    def need_seed(self):
        self.need_collection()
        if not self.seed:
            raise NotTestable(self.no_seed)
        return self.seed

    def need_window(self, least=2):
        self.need_collection()
        if len(self.window) < least:
            raise NotTestable(f"the collection shows fewer than {least} object versions")
        return self.window

    def other(self, kind):
        """A second credential (--also) by what it may do with the collection under test: "stranger", "reader", "writer", "full"."""
        for o in self.others:
            if o["kind"] == kind:
                return o["authorization"]
        words = {"stranger": "may not know of the collection", "reader": "may read the collection and not write it", "writer": "may write the collection and not read it"}
        raise NotTestable(f"needs a second credential that {words.get(kind, 'has the same rights')}: give --also")


def find_items(answers, name="objects"):
    return [x for a in answers for x in a.resource().get(name, []) if isinstance(a.resource().get(name), list)]


def new_id(kind):
    return f"{kind}--{uuid.uuid4()}"
