package jose

import "testing"

// keyOf returns the one key of a set of one.
func keyOf(t *testing.T, jwk string) *PublicKey {
	t.Helper()
	keys, err := ParseJWKS([]byte(`{"keys":[` + jwk + `]}`))
	if err != nil || len(keys) != 1 {
		t.Fatalf("ParseJWKS = %d keys, %v; want one", len(keys), err)
	}
	return keys[0]
}

// TestRFC7515 verifies the examples of RFC 7515 App. A.2 (RS256) and A.3 (ES256).
func TestRFC7515(t *testing.T) {
	const payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	for _, test := range []struct{ name, jwk, token string }{{
		"A.2",
		`{"kty":"RSA","e":"AQAB","n":"` +
			`ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR` +
			`T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB` +
			`dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia` +
			`GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ` + `"}`,
		"eyJhbGciOiJSUzI1NiJ9." + payload + "." +
			"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9" +
			"uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB" +
			"_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq" +
			"Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
	}, {
		"A.3",
		`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",` +
			`"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
		"eyJhbGciOiJFUzI1NiJ9." + payload + "." +
			"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
	}} {
		token, err := Parse(test.token)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		claims, err := token.Verify(keyOf(t, test.jwk))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if exp, ok := claims.Int("exp"); exp != 1300819380 || !ok {
			t.Errorf("%s: exp = %d, %t; want 1300819380", test.name, exp, ok)
		}
	}
}

// TestRFC8037 verifies the example of RFC 8037 App. A.4, whose payload is no JSON, and checks the thumbprint of its
// key (App. A.3).
func TestRFC8037(t *testing.T) {
	const (
		signed    = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
		signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	)
	key := keyOf(t, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	if id, want := key.ID(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; id != want {
		t.Errorf("thumbprint = %s; want %s", id, want)
	}
	decoded, err := strict.DecodeString(signature)
	if err != nil || !key.verifies([]byte(signed), decoded) {
		t.Errorf("the signature does not verify (%v)", err)
	}
}

// TestRFC7638 is the thumbprint of RFC 7638 §3.1.
func TestRFC7638(t *testing.T) {
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi" +
		"FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0" +
		"zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFC" +
		"ur-kEgU8awapJzKnqDKgw"
	key := keyOf(t, `{"kty":"RSA","n":"`+n+`","e":"AQAB","alg":"RS256"}`)
	if id, want := key.ID(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; id != want {
		t.Errorf("thumbprint = %s; want %s", id, want)
	}
}
