package caddymodule

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// ourModule is what the import paths of our packages begin with.
const ourModule = "github.com/postern-auth/postern/"

// modules are all that configurations can name.
var modules = []caddy.Module{new(App), new(Auth), new(API), new(Pages), new(MatchUser), new(Provider), new(Admin)}

// configTypes adds a type of ours, and those of its settings, to found.
func configTypes(t reflect.Type, found map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !strings.HasPrefix(t.PkgPath(), ourModule) || found[t] {
		return
	}
	found[t] = true
	for f := range t.Fields() {
		if f.IsExported() && f.Tag.Get("json") != "-" {
			configTypes(f.Type, found)
		}
	}
}

// typeSpecs parses a package, and returns its types by name, each with its comment.
func typeSpecs(t *testing.T, path string) map[string]*ast.GenDecl {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", strings.TrimPrefix(path, ourModule), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s, %v", len(files), path, err)
	}
	specs := map[string]*ast.GenDecl{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.TYPE && len(d.Specs) == 1 {
				specs[d.Specs[0].(*ast.TypeSpec).Name.Name] = d
			}
		}
	}
	return specs
}

// code is what Markdown leaves as it is: between backticks, or indented.
var code = regexp.MustCompile("`[^`]*`|(?m)^\t.*$")

// eaten is what Markdown would make something else of.
var eaten = regexp.MustCompile(`[<>*]|__`)

// TestStructDocs holds that the documentation on Caddy's site, which is made of the comments above modules and their fields
// and shown as Markdown, says what each setting is for, in sentences that come out as they were written.
func TestStructDocs(t *testing.T) {
	types := map[reflect.Type]bool{}
	for _, m := range modules {
		configTypes(reflect.TypeOf(m), types)
	}
	check := func(what, name string, comment *ast.CommentGroup) {
		text := strings.TrimSpace(comment.Text())
		switch {
		case text == "":
			t.Errorf("%s has no comment above it", what)
		case !strings.HasPrefix(text, name+" ") || !strings.HasSuffix(text, "."):
			t.Errorf("%s: %q is no sentence that begins with %s", what, text, name)
		case eaten.MatchString(code.ReplaceAllString(text, "")):
			t.Errorf("%s: Markdown eats %q of %q; put it between backticks", what, eaten.FindString(code.ReplaceAllString(text, "")), text)
		}
	}
	for typ := range types {
		decl := typeSpecs(t, typ.PkgPath())[typ.Name()]
		if decl == nil {
			t.Fatalf("%s was not found", typ)
		}
		check(typ.String(), typ.Name(), decl.Doc)
		for _, f := range decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType).Fields.List {
			if len(f.Names) != 1 || !f.Names[0].IsExported() || f.Tag == nil || reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json") == "-" {
				continue // embedded: its own fields stand in its place
			}
			check(typ.String()+"."+f.Names[0].Name, f.Names[0].Name, f.Doc)
		}
	}
}
