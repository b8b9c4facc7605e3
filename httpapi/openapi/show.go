package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the style sheet
	"encoding/base64"
	"strings"

	"go.yaml.in/yaml/v3"
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// style is the style sheet, which stands in the page so that it is one request.
//
//go:embed style.css
var style string

// policy is the page's Content-Security-Policy: nothing is loaded or run, and nobody frames it.
func policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}

// asPage shows a document to people.
func asPage(root *yaml.Node) []byte {
	v := tree{root}.view()
	page := h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(v.Title)),
			h.StyleEl(g.Raw(style)),
		),
		h.Body(
			h.A(h.Class("skip"), h.Href("#content"), g.Text("Skip to the content")),
			contents(v),
			h.Main(h.ID("content"),
				h.H1(g.Text(v.Title)),
				prose(v.Text),
				prose("Its examples use the shell variables `POSTERN`, where the API is, `KEY`, a management key, and `TOKEN`."),
				h.P(g.Text("This page shows "), h.A(h.Href("openapi.json"), g.Text("openapi.json")), g.Text(", also as "),
					h.A(h.Href("openapi.yaml"), g.Text("openapi.yaml")), g.Text(".")),
				g.Map(v.Groups, showGroup),
				showErrors(v.Errors),
				showSchemas(v.Schemas),
			),
		),
	))
	var b bytes.Buffer
	if err := page.Render(&b); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// contents lists what is on the page, a group at a time.
func contents(v view) g.Node {
	return h.Nav(h.Aria("label", "Contents"),
		h.P(h.A(h.Href("#content"), h.Strong(g.Text(v.Title)))),
		g.Map(v.Groups, func(group *group) g.Node {
			return h.Details(h.Summary(g.Text(group.Name)), h.Ul(g.Map(group.Operations, func(o operation) g.Node {
				return h.Li(h.A(h.Href("#"+o.ID), h.Span(h.Class(o.Method), g.Text(o.Method)), g.Text(" "+o.Summary)))
			})))
		}),
		h.P(h.A(h.Href("#errors"), g.Text("errors")), g.Text(" · "), h.A(h.Href("#schemas"), g.Text("schemas"))),
	)
}

// heading is one that can be linked to.
func heading(title, id string) g.Node {
	return h.H3(g.Text(title+" "), h.A(h.Class("anchor"), h.Href("#"+id), h.Aria("label", "Link to "+title), g.Text("#")))
}

// showGroup shows the operations of one tag.
func showGroup(group *group) g.Node {
	return h.Section(h.ID(group.Name), h.H2(g.Text(group.Name)), prose(group.Text), g.Map(group.Operations, showOperation))
}

// showOperation shows one.
func showOperation(o operation) g.Node {
	return h.Article(h.ID(o.ID),
		heading(o.Summary, o.ID),
		h.P(h.Span(h.Class(o.Method), g.Text(o.Method)), g.Text(" "), h.Code(g.Text(o.Path))),
		prose(o.Text),
		prose(o.Needs),
		g.If(len(o.Parameters) > 0, g.Group{h.H4(g.Text("Parameters")), showFields(o.Parameters)}),
		g.Map(o.Bodies, func(f form) g.Node {
			return g.Group{h.H4(g.Text("Body "), h.Code(g.Text(f.Media))), showSchema(f.Schema)}
		}),
		g.Map(o.Answers, func(a answer) g.Node {
			return g.Group{h.H4(g.Text("Answer " + a.Status)), prose(a.Text), g.Map(a.Forms, showForm)}
		}),
		h.P(g.Text("Errors:"), g.Map(o.Refusals, func(a answer) g.Node {
			return g.Group{g.Text(" "), h.A(h.Href("#error-"+a.Name), g.Text(a.Status+"\u00a0"+a.Name))}
		})),
		h.H4(g.Text("Example")),
		showExample("Example of a call", o.Request),
		g.If(o.Example != "", showExample("Example of an answer", o.Example)),
	)
}

// showExample shows an example, which can be reached and moved by keyboard where it is wider than the page.
func showExample(label, text string) g.Node {
	return h.Pre(h.TabIndex("0"), h.Aria("label", label), g.Text(text))
}

// showForm shows what an answer is in one media type.
func showForm(f form) g.Node {
	if f.Schema.Type != nil {
		return h.P(h.Code(g.Text(f.Media)), g.Text(": "), showType(f.Schema.Type))
	}
	return g.Group{h.P(h.Code(g.Text(f.Media))), showSchema(f.Schema)}
}

// showErrors shows the kinds of errors, once for all operations.
func showErrors(errors []answer) g.Node {
	return h.Section(h.ID("errors"), h.H2(g.Text("errors")),
		h.P(g.Text("Each has three forms: "), schemaLink("Errors", "Errors"), g.Text(" as application/json, "), schemaLink("Problem", "Problem"),
			g.Text(" as application/problem+json, "), schemaLink("JSONAPIErrors", "JSONAPIErrors"), g.Text(" as application/vnd.api+json.")),
		h.Dl(g.Map(errors, func(a answer) g.Node {
			return g.Group{h.Dt(h.ID("error-"+a.Name), g.Text(a.Name)), h.Dd(prose(a.Text))}
		})),
	)
}

// showSchemas shows the schemas that others refer to.
func showSchemas(schemas []schemaView) g.Node {
	return h.Section(h.ID("schemas"), h.H2(g.Text("schemas")), g.Map(schemas, func(s schemaView) g.Node {
		return h.Article(h.ID("schema-"+s.Name), heading(s.Name, "schema-"+s.Name), prose(s.Text), showSchema(s))
	}))
}

// showSchema shows the members of a schema, those of each choice, or what stands for it.
func showSchema(s schemaView) g.Node {
	return g.Group{
		g.If(s.Type != nil, h.P(showType(s.Type))),
		g.If(s.Fields != nil, showFields(s.Fields)),
		g.Map(s.Choices, func(choice schemaView) g.Node {
			return g.Group{g.If(choice.Name != "", h.H5(g.Text(choice.Name))), showSchema(choice)}
		}),
	}
}

// showFields shows members or parameters as a table.
func showFields(fields []field) g.Node {
	column := func(name string) g.Node { return h.Th(h.Scope("col"), g.Text(name)) }
	return h.Table(h.THead(h.Tr(column("Name"), column("Type"), column("Meaning"))), h.TBody(g.Map(fields, func(f field) g.Node {
		return h.Tr(
			h.Th(h.Scope("row"), h.Code(g.Text(f.Name)),
				g.If(f.Required, g.Group{g.Text(" "), h.Span(h.Class("required"), g.Text("required"))}),
				g.If(f.In != "", g.Group{g.Text(" "), h.Small(g.Text(f.In))})),
			h.Td(showType(f.Type)),
			h.Td(prose(f.Text), g.Map(f.Limits, prose)),
		)
	})))
}

// showType shows the name of a type, with links to what is shown elsewhere.
func showType(pieces []piece) g.Node {
	return g.Map(pieces, func(p piece) g.Node {
		if p.Schema != "" {
			return schemaLink(p.Schema, p.Text)
		}
		return g.Text(p.Text)
	})
}

// schemaLink is a link to a schema.
func schemaLink(schema, text string) g.Node { return h.A(h.Href("#schema-"+schema), g.Text(text)) }

// prose shows paragraphs with `code` and **strong** words.
func prose(text string) g.Node {
	var all g.Group
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
			all = append(all, h.P(inline(paragraph)))
		}
	}
	return all
}

// inline shows `code` and **strong** words, and the rest as it is.
func inline(text string) g.Node {
	var all g.Group
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			all = append(all, h.Code(g.Text(part)))
			continue
		}
		for j, words := range strings.Split(part, "**") {
			if j%2 == 1 {
				all = append(all, h.Strong(g.Text(words)))
			} else {
				all = append(all, g.Text(words))
			}
		}
	}
	return all
}
