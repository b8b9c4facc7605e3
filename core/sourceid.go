package core

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// OrgFromSource returns the id of an org of another system, by the name that it has there: the same each time, so that a line of a
// user can name the org by that name too.
func OrgFromSource(source string) OrgID {
	return OrgID(madeOf(prefixOrg, source, time.Time{}, bucketOfText(source)))
}

// idFromSource returns the id of a user of another system, the same each time.
func idFromSource(source string, created time.Time, arbitraryID string) UserID {
	return UserID(madeOf(prefixUser, source, created, bucketOfText(cmp.Or(arbitraryID, source))))
}

// madeOf returns an id that is made of a text and lies in a bucket: where one made at that time would be among the
// others, or before all of them where nobody knows when they were made.
func madeOf(prefix, text string, created time.Time, b bucket) string {
	if created.IsZero() {
		created = time.UnixMilli(0)
	}
	sum := sha256.Sum256([]byte(text))
	hi := uint64(created.UnixMilli())&(1<<48-1)<<7 | uint64(sum[8]&0x7f)
	return prefix + encode(hi, binary.BigEndian.Uint64(sum[:]), idLength-bucketLength) + b.text()
}

// named returns what a user comes with, where what came without an id has one: nobody outside can know what goes with the user's, whose
// own may be made here. It is made of what the thing is, and so the same in a repetition.
func (in UserParts) named(user *User) UserParts {
	b, _ := bucketOf(string(user.ID))
	id := func(prefix, of string, created Instant) string {
		if created.IsZero() {
			created = user.CreatedAt
		}
		return madeOf(prefix, string(user.ID)+"\x00"+of, created.Time, b)
	}
	memberships, keys := make([]*Membership, len(in.Memberships)), make([]APIKeyCopy, len(in.APIKeys))
	for i, m := range in.Memberships {
		one := *m
		if one.ID == "" {
			one.ID = MembershipID(id(prefixMembership, string(m.Org), m.CreatedAt))
		}
		memberships[i] = &one
	}
	for i, k := range in.APIKeys {
		one := *k.Credential
		if one.ID == "" && k.APIKey != nil {
			one.ID = CredentialID(id(prefixCredential, k.APIKey.Digest, k.CreatedAt))
		}
		keys[i] = APIKeyCopy{&one, k.Sealed}
	}
	in.Memberships, in.APIKeys = memberships, keys
	return in
}
