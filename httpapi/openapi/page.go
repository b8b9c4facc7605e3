package openapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// view is what the page shows.
type view struct {
	Title, Text string
	Groups      []*group
	Errors      []answer
	Schemas     []schemaView
}

// group is the operations of one tag.
type group struct {
	Name, Text string
	Operations []operation
}

// operation is one method of one path.
type operation struct {
	ID, Method, Path, Summary, Text string
	Needs                           string
	Parameters                      []field
	Bodies                          []form
	Answers                         []answer // those that are no refusal
	Refusals                        []answer
	Sent                            string // example of a body, in the first media type
	Request, Example                string // of a call, for a shell, and of an answer
}

// form is a body in one media type.
type form struct {
	Media  string
	Schema schemaView
}

// answer is one status of an operation, or one kind of error.
type answer struct {
	Name, Status, Text string
	Forms              []form
}

// view gathers what the page shows.
func (t tree) view() view {
	v := view{Title: text(get(t.root, "info", "title")), Text: text(get(t.root, "info", "description"))}
	byTag := map[string]*group{}
	for _, tag := range children(get(t.root, "tags")) {
		g := &group{Name: text(get(tag, "name")), Text: text(get(tag, "description"))}
		byTag[g.Name] = g
		v.Groups = append(v.Groups, g)
	}
	for path, item := range pairs(get(t.root, "paths")) {
		for method, node := range pairs(item) {
			if slices.Contains(methods, method) {
				g := byTag[words(get(node, "tags"))[0]]
				g.Operations = append(g.Operations, t.operation(strings.ToUpper(method), path, item, node))
			}
		}
	}
	for name, response := range pairs(get(t.root, "components", "responses")) {
		if get(response, "content", "application/problem+json") != nil {
			v.Errors = append(v.Errors, answer{Name: name, Text: text(get(response, "description"))})
		}
	}
	for name, schema := range pairs(get(t.root, "components", "schemas")) {
		if t.isBig(schema) {
			s := t.schemaView(schema)
			s.Name, s.Text = name, text(get(schema, "description"))
			v.Schemas = append(v.Schemas, s)
		}
	}
	return v
}

// operation gathers what the page shows of one.
func (t tree) operation(method, path string, item, node *yaml.Node) operation {
	o := operation{ID: text(get(node, "operationId")), Method: method, Path: path, Summary: text(get(node, "summary")),
		Text: text(get(node, "description")), Needs: t.needs(node)}
	for _, p := range slices.Concat(children(get(item, "parameters")), children(get(node, "parameters"))) {
		p = t.follow(p)
		f := t.field(text(get(p, "name")), get(p, "schema"), text(get(p, "required")) == "true")
		f.In = text(get(p, "in"))
		if example := get(p, "example"); example != nil {
			f.Example = example.Value
		}
		if said := text(get(p, "description")); said != "" {
			f.Text = said
		}
		o.Parameters = append(o.Parameters, f)
	}
	o.Bodies = t.forms(get(node, "requestBody"))
	for status, response := range pairs(get(node, "responses")) {
		a := answer{Name: refName(response), Status: status, Text: text(get(t.follow(response), "description"))}
		if status >= "400" {
			o.Refusals = append(o.Refusals, a)
			continue
		}
		a.Forms = t.forms(t.follow(response))
		o.Answers = append(o.Answers, a)
	}
	if len(o.Bodies) > 0 && o.Method != http.MethodDelete { // there it says no more than for whom
		o.Sent = t.body(get(node, "requestBody", "content", o.Bodies[0].Media, "schema"))
	}
	o.Request, o.Example = o.shell(node), t.answerExample(node)
	return o
}

// needs says who may make a call.
func (t tree) needs(node *yaml.Node) string {
	permission, reach := text(get(node, "x-postern-permission")), text(get(node, "x-postern-reach"))
	var who []string
	for _, choice := range children(get(node, "security")) {
		for name := range pairs(choice) {
			switch name {
			case "managementKey":
				who = append(who, "a management key with the permission `"+permission+"`"+map[string]string{"all": ", for all realms"}[reach])
			case "sessionToken":
				who = append(who, "a session token")
			case "accountProviderToken":
				who = append(who, "an account provider token")
			}
		}
	}
	if len(who) == 0 {
		return "Needs no key."
	}
	return "Needs " + strings.Join(who, ", or ") + "."
}

// forms are the bodies of a request or response.
func (t tree) forms(body *yaml.Node) (all []form) {
	for media, content := range pairs(get(body, "content")) {
		if schema := get(content, "schema"); schema != nil {
			all = append(all, form{Media: media, Schema: t.schemaView(schema)})
		}
	}
	return all
}

// refName returns the last part of a reference; "" where there is none.
func refName(n *yaml.Node) string {
	ref := text(get(n, "$ref"))
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// shell returns an example of a call.
func (o *operation) shell(node *yaml.Node) string {
	lines := []string{"curl"}
	if o.Method != http.MethodGet {
		lines[0] += " -X " + o.Method
	}
	switch permission := text(get(node, "x-postern-permission")); {
	case permission != "none":
		lines = append(lines, `-H "X-Authrocket-Api-Key: $KEY"`)
		if get(node, "x-postern-reach") == nil {
			lines = append(lines, `-H "X-Authrocket-Realm: default"`)
		}
	case len(children(get(node, "security"))) > 0:
		lines = append(lines, `-H "Authorization: Bearer $TOKEN"`)
	}
	if o.Sent != "" && o.Sent != "{}" {
		lines = append(lines, "-H 'Content-Type: "+o.Bodies[0].Media+"'", "-d '"+strings.ReplaceAll(o.Sent, "'", `'\''`)+"'")
	}
	return strings.Join(append(lines, `"$POSTERN`+o.target()+`"`), " \\\n  ")
}

// target returns an example of the path and the query that a call needs.
func (o *operation) target() string {
	path := o.Path
	var query []string
	for _, p := range o.Parameters {
		if p.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", p.Example)
		} else if p.In == "query" && p.Required {
			query = append(query, p.Name+"="+p.Example)
		}
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	return path
}

// body returns an example of a body to be sent, with what is required and what has an example.
func (t tree) body(schema *yaml.Node) string {
	return string(asJSON(t.example(schema, func(m member) bool {
		return m.name != "request" && m.name != "realm_id" && m.name != "expand" && t.hasExample(m.schema)
	})))
}

// hasExample reports whether a schema, or what it is made of, has an example or needs something.
func (t tree) hasExample(schema *yaml.Node) bool {
	schema = t.follow(schema)
	if get(schema, "examples") != nil || get(schema, "required") != nil {
		return true
	}
	return slices.ContainsFunc(t.members(schema), func(m member) bool { return m.required })
}

// answerExample returns an example of a good answer; "" where it has no body that is JSON.
func (t tree) answerExample(node *yaml.Node) string {
	shows := words(get(node, "x-postern-shows"))
	for status, response := range pairs(get(node, "responses")) {
		content := get(t.follow(response), "content", "application/json")
		if status >= "300" || content == nil {
			continue
		}
		value := get(content, "example")
		if value == nil {
			value = t.example(get(content, "schema"), func(m member) bool { return slices.Contains(shows, m.name) })
		}
		var b bytes.Buffer
		if json.Indent(&b, asJSON(value), "", "  ") != nil || b.String() == "{}" {
			return ""
		}
		return b.String()
	}
	return ""
}
