# What an account provider's back end does with Work-API accounts, and what its users' app does: tokens are signed with PyJWT, which
# shares no code with Postern, and requests go out as the SDK sends them.
#
#   python3 work_api.py URL MANAGEMENT_KEY
#
# The key must be one for all realms: the walk makes a realm of its own, and deletes it. Prints a line for each check that fails, and
# the count; ends non-zero where one did.
import http.client
import json
import os
import sys
import time
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

url = urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
passed = failed = 0
DOCUMENT = "application/vnd.api+json"


def check(what, got, want):
    """Note whether got is what is wanted."""
    global passed, failed
    if got == want:
        passed += 1
        return
    failed += 1
    print(f"work-api: {what}: got {got!r}, want {want!r}", file=sys.stderr)


def send(line, headers, body=None):
    """Send a request with these headers alone, in this order, and return status, headers and the decoded body."""
    method, path = line.split(" ")
    connection.putrequest(method, url.path.rstrip("/") + path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    text = None if body is None else json.dumps(body, separators=(",", ":")).encode()
    if text is not None:
        connection.putheader("Content-Length", str(len(text)))
    connection.endheaders(text)
    answer = connection.getresponse()
    told = answer.read()
    return answer.status, answer.headers, json.loads(told) if told else None


def managed(line, body=None):
    """Send a call of the management back end."""
    headers = [("Host", url.netloc), ("Accept", "application/json"), ("Content-Type", "application/json"), ("X-Authrocket-Api-Key", sys.argv[2])]
    status, _, told = send(line, headers, body)
    if status >= 300:
        raise SystemExit(f"work-api: {line}: {status} {told}")
    return told


def sdk(line, token, body=None):
    """Send a call as the SDK does."""
    headers = [("Authorization", f"Bearer {token}".rstrip()), ("Accept", DOCUMENT), ("User-Agent", "Faraday v1.1.0")]
    if body is not None:
        headers.append(("Content-Type", DOCUMENT))
    headers += [("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"), ("Host", url.netloc)]
    status, answered, told = send(line, headers, body)
    if told is not None:
        check(f"media type of {line}", answered["Content-Type"], DOCUMENT)
    return status, told


def apt(key, guid, name=None, lifetime=60, **more):
    """Sign an account provider token."""
    now = int(time.time())
    user = {"environment_guid": guid} | ({"arbitrary_id": name} if name else {})
    return jwt.encode({"exp": now + lifetime, "iat": now, "iss": "Work-API Ruby SDK v0.1.1", "user": user} | more, key, algorithm="RS256", headers={"typ": None})


def document(name, guid):
    """Return the SDK's body about a user."""
    return {"data": {"attributes": {"arbitrary_id": name, "environment_guid": guid}, "type": "user"}}


def refused(what, answer, status, code):
    """Check an error: an array of objects whose code is a text, or the SDK crashes."""
    got, told = answer
    check(what, (got, [(type(e["code"]), e["code"]) for e in (told or {}).get("errors", [])]), (status, [(str, code)]))


def attributes(what, answer, status, name):
    """Check an answer about a user: exactly two attributes. Return its id and token."""
    got, told = answer
    if got != status:
        check(what, (got, told), status)
        raise SystemExit(1)
    data = told["data"]
    check(what, (set(data), data["type"], sorted(data["attributes"]), data["attributes"]["arbitrary_id"]), ({"id", "type", "attributes"}, "user", ["arbitrary_id", "token"], name))
    return data["id"], data["attributes"]["token"]


realm = managed("POST /realms", {"realm": {"name": f"Work-API {os.getpid()}"}})
guid, where = realm["environment_guid"], f"realm_id={realm['id']}"
made = managed(f"POST /apt_keys?{where}", {"apt_key": {"name": "production", "generate": "RS256"}})
key, name = made["private_key"], "user_xyz123@Example"
stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

# An account, from the provider's back end.
identity, token = attributes("create", sdk("POST /users", apt(key, guid), document(name, guid)), 201, name)
refused("create again", sdk("POST /users", apt(key, guid), document(name, guid)), 409, "user_already_exists_error")
refused("a stranger's signature", sdk("POST /users", apt(stranger, guid), document("eve", guid)), 401, "invalid_token_error")
refused("another environment", sdk("POST /users", apt(key, "00000000-0000-4000-8000-000000000000"), document("eve", "00000000-0000-4000-8000-000000000000")), 404, "environment_not_found_error")
refused("expired", sdk("POST /users", apt(key, guid, lifetime=-90), document("eve", guid)), 401, "invalid_token_error")
refused("no body", sdk("POST /users", apt(key, guid), {"arbitrary_id": "eve"}), 404, "environment_not_found_error")
claims = jwt.decode(token, realm["jwt_key"], algorithms=["HS256"], audience=realm["id"])
check("claims of the token", (claims["user"], claims["exp"] - claims["iat"]), ({"id": identity, "arbitrary_id": name}, 28 * 86400))

# The user's app: each request brings a new token, and the former goes on.
same, second = attributes("get", sdk("GET /users/me", token), 200, name)
third = attributes("get with the new token", sdk("GET /users/me", second), 200, name)[1]
attributes("get with the old token", sdk("GET /users/me", token), 200, name)
check("who", (same, len({token, second, third})), (identity, 3))
refused("no token", sdk("GET /users/me", ""), 401, "invalid_token_error")
refused("an APT as a token", sdk("GET /users/me", apt(key, guid, name)), 401, "invalid_token_error")
status, headers, _ = send("GET /users/me", [("Host", url.netloc), ("Authorization", f"Bearer {token}"), ("Content-Type", DOCUMENT)])
check("Java, which sends no Accept", (status, headers["Content-Type"], headers["Cache-Control"]), (200, DOCUMENT, "no-store"))

# After the token expired, the provider's back end has one reissued.
again = attributes("reauth", sdk("POST /users/reauth", apt(key, guid, name), document(name, guid)), 201, name)
check("reauth is of the same user", again[0], identity)
refused("reauth for nobody", sdk("POST /users/reauth", apt(key, guid), document(name, guid)), 401, "invalid_token_error")
refused("reauth for another", sdk("POST /users/reauth", apt(key, guid, "other"), document(name, guid)), 401, "invalid_token_error")
refused("reauth of a stranger", sdk("POST /users/reauth", apt(key, guid, "bob"), document("bob", guid)), 404, "user_not_found_error")
once = apt(key, guid, name, jti="only once")
attributes("reauth with a jti", sdk("POST /users/reauth", once, document(name, guid)), 201, name)
refused("the same jti", sdk("POST /users/reauth", once, document(name, guid)), 401, "invalid_token_error")

# The Users API sees the same account.
seen = managed(f"GET /users?reference={name.replace('@', '%40')}&{where}")["collection"]
check("by reference", [(u["id"], u["email"], u["user_type"]) for u in seen], [(identity, None, "human")])
managed(f"PUT /users/{identity}?{where}", {"user": {"state": "inactive"}})
refused("an inactive user's token", sdk("GET /users/me", again[1]), 401, "invalid_token_error")
refused("reauth of an inactive user", sdk("POST /users/reauth", apt(key, guid, name), document(name, guid)), 403, "user_inactive_error")
managed(f"PUT /users/{identity}?{where}", {"user": {"state": "active"}})

# The end.
last = attributes("reauth", sdk("POST /users/reauth", apt(key, guid, name), document(name, guid)), 201, name)[1]
refused("delete without a token", sdk("DELETE /users/me", ""), 401, "invalid_token_error")
check("delete", sdk("DELETE /users/me", last), (204, None))
refused("its token", sdk("GET /users/me", last), 401, "invalid_token_error")
refused("reauth after that", sdk("POST /users/reauth", apt(key, guid, name), document(name, guid)), 404, "user_not_found_error")
attributes("a user to be deleted by the provider", sdk("POST /users", apt(key, guid), document("bob", guid)), 201, "bob")
check("delete by APT", sdk("DELETE /users/me", apt(key, guid, "bob")), (204, None))
managed(f"PUT /apt_keys/{made['id']}?{where}", {"apt_key": {"state": "retired"}})
refused("a retired key", sdk("POST /users", apt(key, guid), document("cid", guid)), 401, "invalid_token_error")
managed(f"DELETE /realms/{realm['id']}")

print(f"work-api: {passed} passed, {failed} failed")
sys.exit(failed > 0)
