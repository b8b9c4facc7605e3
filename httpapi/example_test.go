package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// An API over the embedded store, and a back end that creates a user with it.
func Example() {
	key, api, stop, err := start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	server := httptest.NewServer(api)
	defer server.Close()

	request, err := http.NewRequest("POST", server.URL+"/v1/users", strings.NewReader(
		`{"user":{"user_type":"human","username":"ann","email":"ann@example.com","password":"four words make it long"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Authrocket-Api-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.Status, strings.Contains(string(body), `"username":"ann"`))
	// Output: 201 Created true
}

// start opens a store in a temporary folder and sets it up, with a management key for its one realm.
func start() (key string, api *httpapi.API, stop func(), err error) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return "", nil, nil, err
	}
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(dir, "postern.db")})
	if err != nil {
		return "", nil, nil, err
	}
	stop = func() { _ = store.Close(); _ = os.RemoveAll(dir) }
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize)) // a real one is random, and kept elsewhere
	if err != nil {
		return "", nil, stop, err
	}
	c, err := core.New(core.Options{Store: store, MasterKey: master})
	if err != nil {
		return "", nil, stop, err
	}
	ctx := context.Background()
	realm, err := c.Realms.Create(ctx, core.NewRealm{Name: "shop"}, core.Request{})
	if err != nil {
		return "", nil, stop, err
	}
	if key, err = c.ManagementKeys.NewSecret(); err != nil {
		return "", nil, stop, err
	}
	_, err = c.ManagementKeys.Create(ctx, core.NewManagementKey{Name: "shop's back end", Realm: realm.ID,
		Permissions: []core.Permission{core.PermissionRead, core.PermissionWrite}}, key, core.Request{})
	if err != nil {
		return "", nil, stop, err
	}
	api, err = httpapi.New(httpapi.Options{Core: c})
	return key, api, stop, err
}
