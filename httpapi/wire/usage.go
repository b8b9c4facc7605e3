package wire

// Usage is what happened in a realm in one day (UTC), as far as one APT key vouched for it.
type Usage struct {
	Day             string  `json:"day"`        // 2026-11-23
	APTKeyID        *string `json:"apt_key_id"` // null = none: password sign-ins
	UsersCreated    int     `json:"users_created"`
	TokensReissued  int     `json:"tokens_reissued"`
	TokensRefreshed int     `json:"tokens_refreshed"`
	ActiveUsers     int     `json:"active_users"`
	Requests        int     `json:"requests"`
	Object          string  `json:"object"` // "usage"
}
