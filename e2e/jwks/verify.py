"""Checks session tokens with PyJWT, under the keys that Postern publishes.

    verify.py TOKENS

TOKENS is what interop.mjs writes. Ends non-zero at the first surprise.
"""
import base64
import json
import sys
import time
import urllib.request

import jwt

checks = 0


def check(holds, what):
    """Ends the program unless what was said holds."""
    global checks
    if not holds:
        sys.exit("PyJWT: " + what)
    checks += 1


def key_set(url):
    """Returns a realm's keys by kid."""
    with urllib.request.urlopen(url) as answer:
        keys = json.load(answer)["keys"]
    check(all(k["kty"] != "oct" and "k" not in k and "d" not in k for k in keys), "a secret key is published at " + url)
    return {k["kid"]: jwt.PyJWK(k) for k in keys}


def decode(case, token, **changed):
    """Returns the claims of a token under the case's keys, checked as a careful client does."""
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "session+jwt":
        raise jwt.InvalidTokenError("typ")
    if header.get("kid") not in case["keys"]:
        raise jwt.InvalidKeyError("kid")
    expected = {"audience": case["realm"], "issuer": case["issuer"], "algorithms": [case["alg"]], **changed}
    return jwt.decode(token, case["keys"][header["kid"]].key, options={"require": ["exp", "iat", "iss", "aud", "sub"]}, **expected)


def check_assertion(case, **changed):
    """Returns the claims of an assertion, checked as an application does."""
    header = jwt.get_unverified_header(case["assertion"])
    check(header.get("typ") == "assertion+jwt", "typ of an assertion")
    expected = {"audience": "https://app.example.com", "issuer": case["issuer"], "algorithms": ["EdDSA"], **changed}
    return jwt.decode(case["assertion"], case["keys"][header["kid"]].key, options={"require": ["exp", "iat", "iss", "aud", "sub"]}, **expected)


def refused(what, error, case, token, **changed):
    """Checks that a token is refused, for one reason."""
    try:
        decode(case, token, **changed)
    except error:
        return check(True, what)
    except jwt.PyJWTError as other:
        return check(False, f"{what} ({case['alg']}): {other!r}; want {error.__name__}")
    check(False, f"{what} ({case['alg']}) is accepted")


def rewritten(token, **claims):
    """Returns a token with other claims under its old signature."""
    header, body, signature = token.split(".")
    body = {**json.loads(base64.urlsafe_b64decode(body + "==")), **claims}
    return ".".join([header, base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode(), signature])


def forged(token):
    """Returns a token with another signature."""
    head, _, signature = token.rpartition(".")
    return head + "." + ("B" if signature[0] == "A" else "A") + signature[1:]


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
for case in cases:
    case["keys"] = key_set(case["jwks"])
for case in cases:
    check(check_assertion(case)["preferred_username"] == "ann", "an assertion")
    try:
        check_assertion(case, audience="https://other.example.com")
        check(False, "an assertion for another application is accepted")
    except jwt.InvalidAudienceError:
        pass
for case in cases:
    if case["alg"] == "HS256":
        refused("a token under a shared key", jwt.InvalidKeyError, case, case["token"])
        continue
    claims = decode(case, case["token"])
    check(claims["exp"] > time.time() + 60, "exp")
    check(claims["user"]["id"] == claims["sub"] and claims["sub"].startswith("usr_"), "sub")
    refused("other claims", jwt.InvalidSignatureError, case, rewritten(case["token"], sub="usr_0000000000000000000000"))
    refused("another signature", jwt.InvalidSignatureError, case, forged(case["token"]))
    refused("another issuer", jwt.InvalidIssuerError, case, case["token"], issuer="urn:other")
    refused("another audience", jwt.InvalidAudienceError, case, case["token"], audience="rl_other")
    for other in cases:
        if other is not case:
            refused("a token of another realm", jwt.InvalidKeyError, case, other["token"], algorithms=[other["alg"]])
print(f"PyJWT {jwt.__version__}: {checks} checks passed")
