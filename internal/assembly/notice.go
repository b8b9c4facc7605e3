package assembly

import (
	"encoding/json"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// Notice is something that whoever runs a host may want to act on.
type Notice struct {
	Name string

	data  map[string]any
	event *core.Event // that it is of, in the place of data
}

// The names of notices, besides the types of events (core.EventTypes), and what their Data hold.
const (
	NoticeStoreAway     = "store_away"     // error: remembered verdicts may not be relied on, or the store cannot be opened
	NoticeStoreBack     = "store_back"     // after that
	NoticeStoreUnfit    = "store_unfit"    // reason, finding, refuse: a finding of core.Check that is new
	NoticeWorkFailing   = "work_failing"   // work, error: something in the background fails, and is tried again
	NoticeWorkRecovered = "work_recovered" // work
)

// StoreAway is the notice that the store is away.
func StoreAway(why error) Notice {
	return Notice{Name: NoticeStoreAway, data: map[string]any{"error": why.Error()}}
}

// Data returns what there is to know: texts, numbers and truths, and never a secret. Of an event it is what the API answers and
// webhooks are sent, with ip and client of the request beside the rest.
func (n Notice) Data() map[string]any {
	if n.event == nil {
		return n.data
	}
	data := map[string]any{}
	text, err := json.Marshal(httpapi.EventBody(n.event))
	if err == nil {
		err = json.Unmarshal(text, &data)
	}
	if err != nil {
		panic(err) // a struct of texts goes both ways
	}
	if request, ok := data["request"].(map[string]any); ok {
		data["ip"], data["client"] = request["ip"], request["client"]
	}
	delete(data, "request")
	return data
}
