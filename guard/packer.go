package guard

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/postern-auth/postern/core"
)

// reading is what was read of a credential.
type reading struct {
	who    core.Identity
	tag    tag
	heard  uint64 // the news that had been heard when it began
	at     time.Time
	stamps [3]uint16
	from   int // as in known
}

// known returns all of r, with what headers tell of it.
func (r *reading) known(headers identityHeaders) known {
	p := make(packer, headSize, 512)
	p.identity(&r.who)
	p.told(headers.told(&r.who))
	le := binary.LittleEndian
	le.PutUint64(p[atTag:], r.tag.low)
	le.PutUint64(p[atTag+8:], r.tag.high)
	le.PutUint32(p[atHome:], r.tag.home)
	le.PutUint64(p[atHeard:], r.heard)
	le.PutUint64(p[atRead:], uint64(r.at.UnixNano()))
	le.PutUint64(p[atExpires:], uint64(r.who.ExpiresAt.UnixNano())) // zero is long ago, and not never
	le.PutUint64(p[atRecheck:], uint64(orNever(r.who.RecheckAt)))
	le.PutUint64(p[atRenew:], uint64(orNever(r.who.RenewAt)))
	le.PutUint64(p[atSignedIn:], uint64(orNever(r.who.SignedInAt)))
	for i, s := range r.stamps {
		le.PutUint16(p[atStamps+2*i:], s)
	}
	p[atFrom], p[atFlags] = byte(r.from), flagsOf(&r.who)
	le.PutUint32(p[atSize:], uint32(len(p)))
	return known(p)
}

// orNever returns t in nanoseconds since the epoch, or never where it is zero.
func orNever(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixNano()
}

func flagsOf(who *core.Identity) (all byte) {
	if who.EmailVerified {
		all |= flagVerified
	}
	if who.MFA {
		all |= flagMFA
	}
	if who.From != nil {
		all |= flagBound
	}
	return all
}

// packer writes the texts of a known, each behind its length, and lists behind one more than theirs, since 0 stands for nil.
type packer []byte

func (p *packer) number(n int) { *p = binary.AppendUvarint(*p, uint64(n)) }

func (p *packer) text(t string) {
	p.number(len(t))
	*p = append(*p, t...)
}

func (p *packer) list(all []string) {
	if all == nil {
		p.number(0)
		return
	}
	p.number(len(all) + 1)
	for _, t := range all {
		p.text(t)
	}
}

// identity writes what facts.read reads, in the order in which it is asked for: policies, headers, and what hardly anybody asks for,
// which facts.rest reads.
func (p *packer) identity(who *core.Identity) {
	p.text(string(who.Realm))
	p.text(string(who.Type))
	p.text(string(who.Credential))
	p.orgs(who.Orgs)
	p.list(who.Only)
	p.addresses(who.From)
	for _, t := range []string{string(who.User), who.Username, who.Email, who.ArbitraryID, who.Name, string(who.Session), who.FirstName, who.LastName, who.Reference} {
		p.text(t)
	}
	if who.Custom == nil {
		p.number(0)
		return
	}
	p.number(len(who.Custom) + 1)
	for name, raw := range who.Custom {
		p.text(name)
		p.text(string(raw))
	}
}

func (p *packer) orgs(all []core.OrgAccess) {
	if all == nil {
		p.number(0)
		return
	}
	p.number(len(all) + 1)
	for _, o := range all {
		p.text(string(o.Org))
		p.list(o.Permissions)
	}
}

func (p *packer) addresses(all []netip.Prefix) {
	if all == nil {
		p.number(0)
		return
	}
	p.number(len(all) + 1)
	for _, a := range all {
		p.text(a.String())
	}
}

// told writes where what each header says lies, and what lies nowhere yet. Most headers say what is in the identity anyway.
func (p *packer) told(says []string) {
	places := make([]int, len(says))
	for i, text := range says {
		if at := bytes.Index((*p)[headSize:], []byte(text)); at >= 0 { // the numbers before are not written yet
			places[i] = headSize + at
			continue
		}
		places[i] = len(*p)
		*p = append(*p, text...)
	}
	binary.LittleEndian.PutUint32((*p)[atTold:], uint32(len(*p)))
	for i, text := range says {
		p.number(places[i])
		p.number(len(text))
	}
	binary.LittleEndian.PutUint32((*p)[atSigned:], uint32(len(*p)))
}

// unpacker reads what packer wrote.
type unpacker string

func (u *unpacker) number() int {
	n := 0
	for shift := 0; ; shift += 7 {
		b := (*u)[0]
		*u = (*u)[1:]
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}

func (u *unpacker) text() string {
	n := u.number()
	t := string((*u)[:n])
	*u = (*u)[n:]
	return t
}

// count returns the length of a list. It reports false where it is nil.
func (u *unpacker) count() (n int, is bool) {
	n = u.number()
	return n - 1, n > 0
}

// facts is an identity as it is read from a known, with room for its lists that is used again: policies ask at each request, and
// are not to allocate. Its texts are parts of the known.
type facts struct {
	who       core.Identity
	orgs      []core.OrgAccess
	texts     []string
	addresses []netip.Prefix
}

// read makes f.who the one that k stands for, but for what no policy asks about, and returns what is written of that, for rest.
func (f *facts) read(k known) (rest unpacker) {
	f.orgs, f.texts, f.addresses = f.orgs[:0], f.texts[:0], f.addresses[:0]
	u := unpacker(k[headSize:])
	f.who = core.Identity{EmailVerified: k.is(flagVerified), MFA: k.is(flagMFA), SignedInAt: k.time(atSignedIn), ExpiresAt: k.time(atExpires),
		RecheckAt: k.time(atRecheck), RenewAt: k.time(atRenew)}
	w := &f.who
	w.Realm, w.Type, w.Credential = core.RealmID(u.text()), core.UserType(u.text()), core.CredentialID(u.text())
	w.Orgs = f.readOrgs(&u)
	w.Only = f.list(&u)
	w.From = f.readAddresses(&u)
	w.User, w.Username, w.Email, w.ArbitraryID = core.UserID(u.text()), u.text(), u.text(), u.text()
	w.Name, w.Session = u.text(), core.SessionID(u.text())
	return u
}

// rest adds to f.who what read left out.
func (f *facts) rest(u unpacker) {
	f.who.FirstName, f.who.LastName, f.who.Reference = u.text(), u.text(), u.text()
	f.who.Custom = u.readCustom()
}

func (f *facts) readOrgs(u *unpacker) []core.OrgAccess {
	n, is := u.count()
	if !is {
		return nil
	}
	if n == 0 {
		return []core.OrgAccess{}
	}
	for range n {
		f.orgs = append(f.orgs, core.OrgAccess{Org: core.OrgID(u.text()), Permissions: f.list(u)})
	}
	return f.orgs
}

// list returns a list that is nil only where it was: a key that may do nothing is not one that may do all.
func (f *facts) list(u *unpacker) []string {
	n, is := u.count()
	if !is {
		return nil
	}
	if n == 0 {
		return []string{}
	}
	from := len(f.texts)
	for range n {
		f.texts = append(f.texts, u.text())
	}
	return f.texts[from:len(f.texts):len(f.texts)]
}

// readAddresses returns addresses that are nil only where they were: a key that is for no address is not one for all.
func (f *facts) readAddresses(u *unpacker) []netip.Prefix {
	n, is := u.count()
	if !is {
		return nil
	}
	if n == 0 {
		return []netip.Prefix{}
	}
	for range n {
		address, _ := netip.ParsePrefix(u.text()) // the zero Prefix, which has no addresses in it, is written too
		f.addresses = append(f.addresses, address)
	}
	return f.addresses
}

// readCustom returns custom attributes.
func (u *unpacker) readCustom() core.Custom {
	n, is := u.count()
	if !is {
		return nil
	}
	all := make(core.Custom, n)
	for range n {
		name := u.text()
		all[name] = json.RawMessage(u.text())
	}
	return all
}
