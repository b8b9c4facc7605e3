package delivery

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// maxAnswer is how much of an answer is read, so that a connection may be used again. What it says is kept nowhere.
const maxAnswer = 64 << 10

// call posts an event to a webhook: the body is what Get-an-Event answers, less its notifications.
func (c *Courier) call(ctx context.Context, d *core.Delivery) core.Attempted {
	u, err := url.Parse(d.Hook.Destination)
	if err != nil {
		return core.Attempted{Result: core.Refused, Line: "the destination is no URL"}
	}
	user := u.User
	u.User = nil
	done := core.Attempted{Destination: shown(u)}
	body, err := json.Marshal(httpapi.EventBody(d.Event))
	if err != nil {
		done.Line = "the event cannot be written"
		return done
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		done.Result, done.Line = core.Refused, "the destination is no URL"
		return done
	}
	if password, _ := user.Password(); user != nil {
		req.SetBasicAuth(user.Username(), password)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Postern-Webhooks/1")
	sign(req.Header, string(d.Notification.ID), d.At, body, d.Secrets)
	resp, err := c.client.Do(req)
	if err != nil {
		done.Line = why(err, "it hung up, or its answer was none in HTTP")
		return done
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if done.Line = strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))); resp.StatusCode/100 == 2 {
		done.Result = core.Delivered
	}
	return done
}

// shown returns a destination for the log of deliveries, which more keys may read than the hook itself: where it is, and nothing of what
// follows. Whoever knows the address of an incoming webhook of a chat may write there, and its secret may be any part of the path.
func shown(u *url.URL) string { return u.Scheme + "://" + u.Host }

// sign sets the headers by which a receiver knows that a message is ours, that it is fresh, and whether it came before
// (Standard Webhooks 1.0.0): a signature for each secret, since they overlap where they are replaced.
func sign(h http.Header, id string, at time.Time, body []byte, secrets [][]byte) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + seconds + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", seconds)
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}
