package jose_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/jose"
)

// admits says what the gate should, by other means: the standard library's decoders and regular expressions.
func admits(token string) bool {
	parts := strings.Split(token, ".")
	if len(token) > jose.MaxTokenLength || len(parts) != 3 || parts[2] == "" {
		return false
	}
	var decoded []string
	for _, part := range parts {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(b) != part {
			return false
		}
		decoded = append(decoded, string(b))
	}
	return admitsHeader(decoded[0]) && strictJSON(decoded[1])
}

// plain is what the members of a header may hold.
var plain = regexp.MustCompile(`^[!#-\[\]-~]{1,128}$`)

// admitsHeader is admits for the header.
func admitsHeader(text string) bool {
	var members map[string]any
	if !strictJSON(text) || json.Unmarshal([]byte(text), &members) != nil {
		return false
	}
	for name, value := range members {
		s, ok := value.(string)
		if !ok || !plain.MatchString(s) || !slices.Contains([]string{"alg", "kid", "typ"}, name) {
			return false
		}
	}
	alg, _ := members["alg"].(string)
	return slices.Contains(algorithms, jose.Alg(alg))
}

// Surrogates in the escapes of JSON, whose escaped backslashes are gone.
var (
	pair = regexp.MustCompile(`(?i)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})`)
	lone = regexp.MustCompile(`(?i)\\ud[89a-f]`)
)

// strictJSON reports whether text is one JSON object that all decoders read alike.
func strictJSON(text string) bool {
	escapes := pair.ReplaceAllString(strings.ReplaceAll(text, `\\`, `--`), `--`)
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) || lone.MatchString(escapes) {
		return false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	open, err := d.Token()
	if err != nil || open != json.Delim('{') || !strictMembers(d, 1) {
		return false
	}
	_, err = d.Token()
	return errors.Is(err, io.EOF)
}

// strictMembers reads the members of an open object.
func strictMembers(d *json.Decoder, depth int) bool {
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil || seen[name.(string)] {
			return false
		}
		seen[name.(string)] = true
		if !strictValue(d, depth) {
			return false
		}
	}
	_, err := d.Token()
	return err == nil
}

// strictValue reads a value within an object or array of this depth.
func strictValue(d *json.Decoder, depth int) bool {
	token, err := d.Token()
	switch {
	case err != nil:
		return false
	case token == json.Delim('{'):
		return depth < 16 && strictMembers(d, depth+1)
	case token == json.Delim('['):
		for d.More() {
			if depth >= 16 || !strictValue(d, depth+1) {
				return false
			}
		}
		_, err = d.Token()
		return err == nil && depth < 16
	}
	return true
}

// decodeJSON decodes with numbers as they were sent.
func decodeJSON(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// decoded returns what canonical base64url without padding says.
func decoded(part string) (string, bool) {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return string(b), err == nil && base64.RawURLEncoding.EncodeToString(b) == part
}
