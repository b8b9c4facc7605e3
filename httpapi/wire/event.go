package wire

// Event is something that happened (Users API, "Events"). What it is not about is left out.
type Event struct {
	Tagged
	ID             string          `json:"id"`
	RealmID        *string         `json:"realm_id"`
	EventType      string          `json:"event_type"`
	EventAt        Time            `json:"event_at"`
	UserID         string          `json:"user_id,omitempty"`
	OrgID          string          `json:"org_id,omitempty"`
	MembershipID   string          `json:"membership_id,omitempty"`
	AppHookID      string          `json:"app_hook_id,omitempty"`
	AuthProviderID string          `json:"auth_provider_id,omitempty"`
	LoginPolicyID  string          `json:"login_policy_id,omitempty"`
	CredentialID   string          `json:"credential_id,omitempty"`
	SessionID      string          `json:"session_id,omitempty"`
	APTKeyID       string          `json:"apt_key_id,omitempty"`
	Request        *Request        `json:"request"`
	IP             *string         `json:"ip"`                      // of the request, as the oldest clients know it
	User           *User           `json:"user,omitempty"`          // in the answer about a session token
	Notifications  *[]Notification `json:"notifications,omitempty"` // nil = not asked for
	Object         string          `json:"object"`                  // "event"
}

// Notification is the delivery of an event to a hook (Users API, "Events", notifications).
type Notification struct {
	ID              string    `json:"id"`
	EventID         string    `json:"event_id"`
	AppHookID       string    `json:"app_hook_id"`
	HookType        string    `json:"hook_type"`
	State           string    `json:"state"` // in_progress, completed, failed, canceled
	Attempts        int       `json:"attempts"`
	LastAttemptAt   Time      `json:"last_attempt_at"`
	LastDestination *string   `json:"last_destination"` // scheme and host, or the mail server
	LastResult      *string   `json:"last_result"`
	NextAttemptAt   Time      `json:"next_attempt_at"`
	Log             []Attempt `json:"log"`    // the latest 20
	Object          string    `json:"object"` // "notification"
}

// Attempt is one try to deliver.
type Attempt struct {
	At          Time   `json:"at"`
	Destination string `json:"destination"`
	Result      string `json:"result"`
}

// AppHook is who hears of events (Users API, "App hooks"): a webhook or an e-mail, each with what is its own.
type AppHook struct {
	Tagged
	ID        string   `json:"id"`
	RealmID   *string  `json:"realm_id"` // null = all realms
	State     string   `json:"state"`
	HookType  string   `json:"hook_type"`
	EventType []string `json:"event_type"`
	Delay     int64    `json:"delay"` // seconds

	Destination *string `json:"destination,omitempty"` // of a webhook

	EmailFrom     *string `json:"email_from,omitempty"` // of an e-mail, as are the others
	EmailFromName *string `json:"email_from_name,omitempty"`
	EmailSubject  *string `json:"email_subject,omitempty"`
	EmailTemplate *string `json:"email_template,omitempty"`
	EmailRenderer *string `json:"email_renderer,omitempty"`
	EmailTo       *string `json:"email_to,omitempty"`
	EmailLink     *string `json:"email_link,omitempty"`
	UserType      *string `json:"user_type,omitempty"`

	CreatedAt Time   `json:"created_at"`
	Object    string `json:"object"`           // "app_hook"
	Secret    string `json:"secret,omitempty"` // whsec_..., where it was made in this call
}

// Preview is an e-mail as it would be sent.
type Preview struct {
	From    string `json:"from"` // "" = neither the hook nor a mail server's settings name a sender
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	Object  string `json:"object"` // "preview"
}
