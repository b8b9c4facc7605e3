package httpapi

import (
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// settings takes the policies of a realm, and returns what sets them.
func (f *fields) settings() func(*core.RealmSettings) {
	var sets []func(*core.RealmSettings)
	taken(f, &sets, "token_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.TokenLifetime })
	taken(f, &sets, "apt_token_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.APTTokenLifetime })
	taken(f, &sets, "session_idle", func(s *core.RealmSettings) *core.Seconds { return &s.SessionIdle })
	taken(f, &sets, "session_absolute", func(s *core.RealmSettings) *core.Seconds { return &s.SessionAbsolute })
	taken(f, &sets, "apt_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.APTLifetime })
	taken(f, &sets, "apt_skew", func(s *core.RealmSettings) *core.Seconds { return &s.APTSkew })
	taken(f, &sets, "apt_require_jti", func(s *core.RealmSettings) *bool { return &s.APTRequireJTI })
	taken(f, &sets, "apt_require_arbitrary_id", func(s *core.RealmSettings) *bool { return &s.APTRequireArbitraryID })
	taken(f, &sets, "apt_encryption", func(s *core.RealmSettings) *core.APTEncryption { return &s.APTEncryption })
	taken(f, &sets, "key_rotation", func(s *core.RealmSettings) *core.Seconds { return &s.KeyRotation })
	taken(f, &sets, "password_min_length", func(s *core.RealmSettings) *int { return &s.PasswordMinLength })
	taken(f, &sets, "event_retention", func(s *core.RealmSettings) *core.Seconds { return &s.EventRetention })
	taken(f, &sets, "email_token_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.EmailTokenLifetime })
	taken(f, &sets, "password_token_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.PasswordTokenLifetime })
	f.usersAPISettings(&sets)
	return func(s *core.RealmSettings) {
		for _, set := range sets {
			set(s)
		}
	}
}

// taken takes one policy, if it is there, and adds what sets it.
func taken[T any](f *fields, sets *[]func(*core.RealmSettings), name string, of func(*core.RealmSettings) *T) {
	raw, there := f.take(name)
	if !there {
		return
	}
	var value T // null leaves it zero, which stands for the default
	if !f.read(raw, &value) {
		f.complain(name, "must be "+kindOf(value))
	}
	*sets = append(*sets, func(s *core.RealmSettings) { *of(s) = value })
}

// kindOf says what a policy has to be, in words.
func kindOf(value any) string {
	switch value.(type) {
	case core.Seconds:
		return "a whole number of seconds"
	case int:
		return "a whole number"
	case bool:
		return "true or false"
	case []core.TokenField:
		return "an array of texts"
	}
	return "a text"
}

// usersAPISettings takes the policies that go by their names in the Users API ("Realms").
func (f *fields) usersAPISettings(sets *[]func(*core.RealmSettings)) {
	if alg := f.optional("jwt_algo"); alg != nil {
		*sets = append(*sets, func(s *core.RealmSettings) { s.TokenAlg = tokenAlg(*alg) })
	}
	f.apiKeySettings(sets)
	taken(f, sets, "jwt_fields", func(s *core.RealmSettings) *[]core.TokenField { return &s.TokenFields })
	if raw, there := f.take("require_unique_emails"); there {
		unique := true
		if !f.read(raw, &unique) {
			f.complain("require_unique_emails", "must be true or false")
		}
		*sets = append(*sets, func(s *core.RealmSettings) { s.SharedEmails = !unique })
	}
	if raw, there := f.take("session_minutes"); there {
		var minutes *core.Seconds // null brings back sessions that are bounded by session_idle and session_absolute
		if !f.read(raw, &minutes) || minutes != nil && (*minutes < 1 || *minutes > 43200) {
			f.complain("session_minutes", "must be from 1 to 43200")
		}
		*sets = append(*sets, func(s *core.RealmSettings) {
			s.SessionFixed = 0
			if minutes != nil {
				s.SessionFixed = 60 * *minutes
			}
		})
	}
	if choice, there := f.choice("username_validation_human", "standard", "email"); there {
		*sets = append(*sets, func(s *core.RealmSettings) { s.EmailUsernames = choice == "email" })
	}
	if choice, there := f.choice("session_type", "managed", "unmanaged"); there {
		*sets = append(*sets, func(s *core.RealmSettings) { s.UnmanagedSessions = choice == "unmanaged" })
	}
}

// tokenAlg returns an algorithm of session tokens by its name in tokens, or by the one that the Users API has for it.
func tokenAlg(name string) jose.Alg {
	switch name {
	case "hs256":
		return jose.HS256
	case "rs256":
		return jose.RS256
	}
	return jose.Alg(name)
}

// apiKeySettings takes those that are about API keys.
func (f *fields) apiKeySettings(sets *[]func(*core.RealmSettings)) {
	taken(f, sets, "api_key_prefix", func(s *core.RealmSettings) *string { return &s.APIKeyPrefix })
	if choice, there := f.choice("api_key_policy", "hash", "encrypt"); there {
		*sets = append(*sets, func(s *core.RealmSettings) {
			s.APIKeyPolicy = core.APIKeyHash
			if choice == "encrypt" {
				s.APIKeyPolicy = core.APIKeyEncrypt
			}
		})
	}
	if raw, there := f.take("api_key_minutes"); there {
		var minutes core.Seconds // null is 0
		if !f.read(raw, &minutes) || minutes < 0 || minutes > 43200 {
			f.complain("api_key_minutes", "must be from 0 to 43200")
		}
		*sets = append(*sets, func(s *core.RealmSettings) { s.APIKeyTokens = 60 * minutes })
	}
}

// choice takes one of two words. null stands for the first.
func (f *fields) choice(name, first, second string) (word string, there bool) {
	if !f.members.has(name) {
		return "", false
	}
	word = first
	if text := f.text(name); text != nil {
		word = *text
	}
	if word != first && word != second {
		f.complain(name, "must be "+first+" or "+second)
	}
	return word, true
}

// only takes a word that can be no other.
func (f *fields) only(name, word, why string) {
	if text := f.text(name); text != nil && *text != word {
		f.complain(name, why)
	}
}
