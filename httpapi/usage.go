package httpapi

import (
	"net/http"
	"time"

	"github.com/postern-auth/postern/httpapi/wire"
)

// usage serves GET /v1/realms/{realm}/usage?from=&to=, days like 2026-11-23, both included; by default the last 30. It
// needs the manage permission.
func (a *API) usage(w http.ResponseWriter, c *call) error {
	realm, err := a.managedRealm(c)
	if err != nil {
		return err
	}
	query, err := c.parameters("from", "to")
	if err != nil {
		return err
	}
	from, to, now := query.Get("from"), query.Get("to"), a.core.Now().UTC()
	if from == "" {
		from = now.AddDate(0, 0, -29).Format(time.DateOnly)
	}
	if to == "" {
		to = now.Format(time.DateOnly)
	}
	days, more, err := a.core.Realms.Usage(c.Context(), realm, from, to)
	if err != nil {
		return err
	}
	list := wire.List[wire.Usage]{MoreResults: more, Collection: []wire.Usage{}}
	for _, u := range days {
		list.Collection = append(list.Collection, wire.Usage{Day: u.Day, APTKeyID: orNull(string(u.APTKey)), UsersCreated: u.Created,
			TokensReissued: u.Reissued, TokensRefreshed: u.Refreshed, ActiveUsers: u.ActiveUsers, Requests: u.Requests, Object: "usage"})
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}
