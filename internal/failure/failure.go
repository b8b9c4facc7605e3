// Package failure tells callers that they do not get what they asked for: one failure in the form that each of them reads, and
// the id by which whoever runs the server finds it in the log. The API, the guard and the sidecar answer with it, so that a program
// that goes through all three meets one kind of error.
package failure

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/fastjson"
)

// Failure is what a caller is told. It never holds a secret.
type Failure struct {
	Status int
	Code   string            // stable, snake_case
	Detail string            // what is wrong; "" where Fields say it
	Fields []core.FieldError // the attributes that break a rule
}

// WriteV1 answers in the form of the Users API: an object that has for each attribute an array of sentences. What concerns no attribute stands
// under "base".
func (f *Failure) WriteV1(w http.ResponseWriter) {
	told := sentences(f.Fields)
	if len(told) == 0 {
		told = sentences{{Attribute: "base", Message: Sentence(f.Detail)}}
	}
	WriteJSON(w, f.Status, MediaJSON, map[string]any{"errors": told})
}

// WriteJSONAPI answers in Work-API's form: an array of objects, one for each attribute that breaks a rule.
func (f *Failure) WriteJSONAPI(w http.ResponseWriter) {
	details := []string{Sentence(f.summary())}
	if len(f.Fields) > 0 {
		details = details[:0]
	}
	for _, field := range f.Fields {
		details = append(details, detailInvalid+field.Message)
	}
	var all []jsonAPIError
	for _, detail := range details {
		all = append(all, jsonAPIError{Status: strconv.Itoa(f.Status), Code: f.Code + "_error", Title: http.StatusText(f.Status), Detail: detail})
	}
	WriteJSON(w, f.Status, MediaJSONAPI, map[string]any{"errors": all})
}

// WriteProblem answers in RFC 9457's form.
func (f *Failure) WriteProblem(w http.ResponseWriter) {
	p := problem{Title: http.StatusText(f.Status), Status: f.Status, Detail: Sentence(f.summary()), Code: f.Code}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, problemField{field.Attribute, field.Message})
	}
	WriteJSON(w, f.Status, MediaProblem, p)
}

// WriteForApp answers whom no contract of an API binds, such as a client of the app behind a guard: in Work-API's form who speaks that, and
// everybody else as a problem, which is JSON too and, other than the Users API's form, tells the code.
func (f *Failure) WriteForApp(w http.ResponseWriter, r *http.Request) {
	if wants := WantsOf(r.Header); wants.Answer == JSONAPI && !wants.Problems {
		f.WriteJSONAPI(w)
		return
	}
	f.WriteProblem(w)
}

// SetHeaders sets what the answer to each request has that failed, whatever its form.
func SetHeaders(h http.Header, id string) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(IDHeader, id)
}

// summary is the failure in a sentence.
func (f *Failure) summary() string {
	return (&core.Error{Code: f.Code, Detail: f.Detail, Fields: f.Fields}).Error()
}

// sentences are encoded as an object of arrays, by attribute, in order: some clients show no more than the first.
type sentences []core.FieldError

// MarshalJSON writes {"attribute":["Sentence","Another"]}.
func (s sentences) MarshalJSON() ([]byte, error) {
	var order []string
	told := map[string][]string{}
	for _, f := range s {
		if told[f.Attribute] == nil {
			order = append(order, f.Attribute)
		}
		told[f.Attribute] = append(told[f.Attribute], f.Message)
	}
	var b bytes.Buffer
	for i, attribute := range order {
		pair, err := json.Marshal(map[string][]string{attribute: told[attribute]})
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(pair[1 : len(pair)-1])
	}
	return []byte("{" + b.String() + "}"), nil
}

// Sentence begins a detail with a capital.
func Sentence(detail string) string {
	if detail == "" {
		return detail
	}
	first, size := utf8.DecodeRuneInString(detail)
	return string(unicode.ToUpper(first)) + detail[size:]
}

// jsonAPIError is an error as JSON:API has it. Work-API clients read code and detail, and need both to be texts.
type jsonAPIError struct {
	Status string `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// detailInvalid is what the detail of every validation error begins with in JSON:API, as each code has its sentence.
const detailInvalid = "Some attributes are not valid: "

// problem is an error as RFC 9457 has it.
type problem struct {
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   string         `json:"code"`
	Errors []problemField `json:"errors,omitempty"`
}

// problemField is one attribute that breaks a rule.
type problemField struct {
	Attribute string `json:"attribute"`
	Detail    string `json:"detail"`
}

// WriteJSON sends a JSON body, of a type of ours: one that cannot be encoded is a programming error, and panics.
func WriteJSON(w http.ResponseWriter, status int, media string, body any) {
	err := fastjson.Use(body, func(text []byte) {
		values, h := [...]string{media, strconv.Itoa(len(text))}, w.Header() // one allocation
		h["Content-Type"], h["Content-Length"] = values[0:1:1], values[1:2:2]
		w.WriteHeader(status)
		_, _ = w.Write(text) // a caller that has gone
	})
	if err != nil {
		panic(err)
	}
}
