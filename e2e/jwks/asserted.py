"""Has the code that docs/guard.md shows for Python check assertions.

    asserted.py TOKENS CODE ELSEWHERE

TOKENS is what interop.mjs writes, CODE a file with that code, ELSEWHERE one with that of another application. Ends non-zero at the first surprise.
"""
import base64
import datetime
import json
import os
import runpy
import sys

import jwt
import jwt.api_jwt


def encoded(value):
    """Returns a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def at(seconds):
    """Has PyJWT judge by a clock that stands."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(seconds, tz)

    jwt.api_jwt.datetime = Clock


def refused(who, text):
    """Ends the program unless a text is refused."""
    global checks
    try:
        who(text)
    except jwt.PyJWTError:
        checks += 1
    else:
        sys.exit(f"docs/guard.md in Python accepts {text}")


with open(sys.argv[1], encoding="utf-8") as file:
    cases = json.load(file)
checks = 0
for case in cases:
    os.environ.update(POSTERN_KEYS=case["jwks"], POSTERN_ISSUER=case["issuer"])
    who = runpy.run_path(sys.argv[2])["who"]
    claims = who(case["assertion"])
    if claims["preferred_username"] != "ann":
        sys.exit(f"docs/guard.md in Python: {claims}")
    for seconds in (claims["iat"] - 20, claims["exp"] + 20):  # by clocks that are behind and ahead
        at(seconds)
        who(case["assertion"])
    for seconds in (claims["iat"] - 40, claims["exp"] + 40):
        at(seconds)
        refused(who, case["assertion"])
    jwt.api_jwt.datetime = datetime.datetime
    header, body, signature = case["assertion"].split(".")
    forged = [None, "", "x", case["token"], ".".join([header, encoded({**claims, "sub": "usr_1"}), signature]),
              ".".join([encoded({"alg": "none", "typ": "assertion+jwt"}), body, ""])]
    for text in forged + [other["assertion"] for other in cases if other is not case]:
        refused(who, text)
    refused(runpy.run_path(sys.argv[3])["who"], case["assertion"])
print(f"docs/guard.md in Python: {checks} forgeries refused")
