package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/client"
)

// humanExample makes a person for an example.
func humanExample(ctx context.Context, c *client.Client, name string) *client.User {
	return must(c.Users.Create(ctx, client.UserCreate{UserType: "human", Username: name, Email: name + "@example.com", Password: "four words make it long"}))
}

// An account provider keeps a fresh session token for a user of its own.
func ExampleAccount() {
	url, realm, key, stop := startPostern()
	defer stop()
	ctx := context.Background()
	manager := must(client.New(client.Options{URL: url, Key: key, Realm: realm}))
	apt := must(manager.APTKeys.Create(ctx, client.APTKeyCreate{Name: "shop", Generate: "EdDSA"}))
	privateKey, environmentGUID := []byte(apt.PrivateKey), apt.EnvironmentGUID // from where your back end keeps them

	signer, err := client.NewAPTSigner(privateKey, environmentGUID)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := client.New(client.Options{URL: url}) // an APT is all that this needs to show
	if err != nil {
		fmt.Println(err)
		return
	}
	account := c.Account(signer, "customer-7")
	if _, err := account.Ensure(ctx); err != nil { // makes the user, unless they are there
		fmt.Println(err)
		return
	}
	token, err := account.Token(ctx) // each time one is needed
	if err != nil {
		fmt.Println(err)
		return
	}
	me, err := c.Users.Me(ctx, token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(me.ArbitraryID)
	// Output: customer-7
}

// All users of a realm go to another, with their passwords.
func ExampleUsers_Import() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	humanExample(ctx, c, "ann")
	other := c.InRealm(must(c.Realms.Create(ctx, client.RealmChange{Name: new("other")})).ID)

	users, err := c.Users.ExportNDJSON(ctx, client.ExportOptions{PasswordHashes: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer users.Close()
	sum, err := other.Users.Import(ctx, users, client.ImportOptions{Each: func(line client.ImportLine) {
		if line.Status == "failed" {
			fmt.Println(line.Line, line.Errors)
		}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum.Lines, sum.Failed)

	// The password came with it, and the id.
	in, err := other.Users.Authenticate(ctx, "ann", "four words make it long")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(in.User.Username)
	// Output:
	// 1 0
	// ann
}

// Lines can be made of anything.
func ExampleUserLines() {
	c, stop := exampleClient()
	defer stop()

	names := strings.Fields("ann ben cat")
	users := func(yield func(*client.UserLine) bool) {
		for _, name := range names {
			if !yield(&client.UserLine{UserType: "human", Username: name, Email: name + "@example.com"}) {
				return
			}
		}
	}
	sum, err := c.Users.Import(context.Background(), client.UserLines(users), client.ImportOptions{DryRun: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum.Created, sum.DryRun)
	// Output: 3 true
}

// A user with a second factor signs in with two calls.
func ExampleCredentials() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	ann := humanExample(ctx, c, "ann")

	codes := must(c.Credentials.Create(ctx, client.CredentialCreate{UserID: ann.ID, CredentialType: client.CredentialRecoveryCodes}))
	totp := must(c.Credentials.Create(ctx, client.CredentialCreate{UserID: ann.ID, CredentialType: client.CredentialTOTP, Name: "phone"}))
	fmt.Println(strings.HasPrefix(totp.ProvisioningURI, "otpauth://totp/"), totp.State, codes.Remaining)
	// Output: true new 10
}

// A signup is parked until its owner has proven an e-mail address.
func ExampleUserTokens() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	parked := must(c.UserTokens.Create(ctx, client.UserTokenCreate{Username: "ann", Email: "ann@example.com"}))
	ann := must(c.UserTokens.Redeem(ctx, parked.ID, client.Joining{Org: &client.OrgCreate{Name: "Ann's shop"}}))
	fmt.Println(ann.Username, ann.MembershipCount)
	// Output: ann 1
}

// Everybody else is signed out.
func ExampleSessions() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	ann := humanExample(ctx, c, "ann")
	must(c.Users.Authenticate(ctx, "ann", "four words make it long", client.From(client.Origin{IP: "192.0.2.1"})))

	mine := must(c.Sessions.Create(ctx, ann.ID, client.From(client.Origin{IP: "192.0.2.2"})))
	if err := c.Sessions.DeleteAll(ctx, ann.ID, mine.ID); err != nil {
		fmt.Println(err)
		return
	}
	for session, err := range c.Sessions.All(ctx, client.SessionListOptions{UserID: ann.ID}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(*session.IP)
	}
	// Output: 192.0.2.2
}

// A member of an org may write there for a day.
func ExampleMemberships() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	ann := humanExample(ctx, c, "ann")
	org := must(c.Orgs.Create(ctx, client.OrgCreate{Name: "Shop"}))

	must(c.Memberships.Create(ctx, client.MembershipCreate{UserID: ann.ID, OrgID: org.ID, Permissions: []string{"write"},
		ExpiresAt: client.At(time.Now().Add(24 * time.Hour))}))
	for membership, err := range c.Memberships.All(ctx, client.MembershipListOptions{OrgID: org.ID}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(membership.User.Username, membership.Permissions)
	}
	// Output: ann [write]
}

// An org is renamed, and all else of it stays.
func ExampleOrgs() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	org := must(c.Orgs.Create(ctx, client.OrgCreate{Name: "Shop", Reference: "c-1"}))
	org = must(c.Orgs.Update(ctx, org.ID, client.OrgUpdate{Name: new("Shop & Co")}))
	fmt.Println(org.Name, *org.Reference)
	// Output: Shop & Co c-1
}

// Two who change the same org do not undo each other's work.
func ExampleIfMatch() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	org, err := c.Orgs.Create(ctx, client.OrgCreate{Name: "Shop"}, client.IdempotencyKey("order-7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	must(c.Orgs.Update(ctx, org.ID, client.OrgUpdate{Name: new("Shop of somebody else")}))

	_, err = c.Orgs.Update(ctx, org.ID, client.OrgUpdate{Name: new("Shop & Co")}, client.IfMatch(org.ETag))
	if errors.Is(err, client.ErrPrecondition) { // get it anew, and decide anew
		fmt.Println("somebody else was faster")
	}
	// Output: somebody else was faster
}

// A realm of its own, for which a client is made.
func ExampleRealms() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	realm := must(c.Realms.Create(ctx, client.RealmChange{Name: new("shop"), JWTAlgo: new("EdDSA"), PasswordMinLength: new(12)}))
	fmt.Println(realm.Name, realm.JWTAlgo, realm.PasswordMinLength)
	ann := humanExample(ctx, c.InRealm(realm.ID), "ann")
	fmt.Println(ann.RealmID == realm.ID)
	// Output:
	// shop EdDSA 12
	// true
}

// The private half of a key is made here, and stays here.
func ExampleAPTKeys() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	_, public, err := client.GenerateAPTKey()
	if err != nil {
		fmt.Println(err)
		return
	}
	key := must(c.APTKeys.Create(ctx, client.APTKeyCreate{Name: "shop", PublicKey: string(public)}))
	fmt.Println(key.Name, key.Alg, key.State)
	// Output: shop RS256 active
}

// Tokens are signed by a new key, and those of the former one are still good.
func ExampleJWTKeys() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	must(c.JWTKeys.Create(ctx))
	for _, key := range must(c.JWTKeys.List(ctx)).Collection {
		fmt.Println(key.Algo, key.Expired)
	}
	// Output:
	// EdDSA false
	// EdDSA false
}

// A back end of one realm gets a key that can read there for a year.
func ExampleManagementKeys() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	realm := must(c.Realms.Create(ctx, client.RealmChange{Name: new("shop")}))

	key := must(c.ManagementKeys.Create(ctx, client.ManagementKeyCreate{Name: "shop's reports", RealmID: realm.ID, Permissions: []string{"read"},
		ExpiresAt: client.At(time.Now().AddDate(1, 0, 0))}))
	fmt.Println(strings.HasPrefix(key.Secret, "ko_"), key.Permissions) // the secret is in this answer alone
	// Output: true [read]
}

// Passwords of a realm become longer.
func ExampleAuthProviders() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	for _, provider := range must(c.AuthProviders.List(ctx)).Collection {
		if provider.ProviderType == "password" {
			provider := must(c.AuthProviders.Update(ctx, provider.ID, client.AuthProviderUpdate{MinLength: new(16)}))
			fmt.Println(*provider.MinLength)
		}
	}
	// Output: 16
}

// The pages of a realm welcome whoever signs in.
func ExampleLoginPolicies() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	policy := must(c.LoginPolicies.Create(ctx, client.LoginPolicyChange{Name: new("shop"), Header: new("Welcome to the shop")}))
	fmt.Println(policy.Name, *policy.Header)
	// Output: shop Welcome to the shop
}

// What happened to a user, the latest first.
func ExampleEvents() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	ann := humanExample(ctx, c, "ann")
	_, _ = c.Users.Authenticate(ctx, "ann", "not it", client.From(client.Origin{IP: "192.0.2.1"}))

	for event, err := range c.Events.All(ctx, client.EventListOptions{UserID: ann.ID}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.EventType)
	}
	// Output:
	// user.login.failed
	// user.created
}

// A webhook hears of users who come and go.
func ExampleAppHooks() {
	c, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	hook := must(c.AppHooks.Create(ctx, client.AppHookCreate{HookType: "webhook", AppHookChange: client.AppHookChange{
		Destination: new("https://shop.example.com/hooks"), EventType: []string{"user.created", "user.deleted"}}}))
	fmt.Println(strings.HasPrefix(hook.Secret, "whsec_"), hook.EventType) // the secret is in this answer alone
	// Output: true [user.created user.deleted]
}
