"""Signs tokens with PyJWT.

    sign.py < {"keys": {ALG: JWK}, "claims": {...}}

Prints a token for each key: {ALG: TOKEN}.
"""
import json
import sys

import jwt
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

given = json.load(sys.stdin)
readers = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
tokens = {}
for alg, key in given["keys"].items():
    private = readers[key["kty"]].from_jwk(json.dumps(key))
    tokens[alg] = jwt.encode(given["claims"], private, algorithm=alg, headers={"kid": key["kid"]})
json.dump(tokens, sys.stdout)
