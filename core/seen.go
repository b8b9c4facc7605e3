package core

import "context"

// touch is a session or an API key that was seen.
type touch struct {
	realm      RealmID
	user       UserID
	session    SessionID
	credential CredentialID // of an API key; "" = a session was seen
}

// touchBacklog is how many sightings wait to be noted; more are dropped, and noted at the next sight.
const touchBacklog = 1024

// saw leaves a sighting to be noted. It never waits.
func (d *deps) saw(t touch) {
	select {
	case d.touch <- t:
	default: // a backlog: it is noted at the next sight
	}
}

// noteSeen writes "last seen" and "last used" for what Resolve met, until ctx ends.
func (c *Core) noteSeen(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-c.d.touch: // what fails or was faster is noted at the next sight
			if t.credential != "" {
				_ = c.APIKeys.see(ctx, t)
			} else {
				_ = c.Sessions.see(ctx, t)
			}
		}
	}
}
