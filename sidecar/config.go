package sidecar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/namedfile"
)

// DefaultData is the folder for the data where nobody names one.
const DefaultData = "postern-data"

// Source is where settings come from: what Given says goes before what Environ says, and that before what File says.
type Source struct {
	File    string            // a configuration file in YAML; "" = none
	Environ []string          // as os.Environ returns it
	Given   map[string]string // by name, as on a command line
}

// Load returns the options that a source gives, checked as Open would check them. Its error joins all that is wrong, with the
// lines of the file.
func Load(from Source) (Options, error) {
	o, err := Gather(from)
	if _, is := errors.AsType[*unreadFile](err); is {
		return o, err // what is missing may be in there
	}
	o.Data = cmp.Or(o.Data, DefaultData)
	checked := o
	return o, errors.Join(err, checked.validate())
}

// unreadFile says that nothing is known of what a configuration file says.
type unreadFile struct{ error }

// Gather returns the options that a source gives. Whether they make a Sidecar, Open finds out.
func Gather(from Source) (Options, error) {
	var o Options
	var errs []error
	if from.File != "" {
		errs = append(errs, o.readFile(from.File, from.Environ))
	}
	errs = append(errs, o.readEnviron(from.Environ))
	for _, s := range Settings {
		if text, there := from.Given[s.Name]; there {
			errs = append(errs, s.Set(&o, text))
		}
	}
	return o, errors.Join(errs...)
}

// readFile sets what a configuration file says, and the environment does not.
func (o *Options) readFile(file string, environ []string) error {
	text, err := namedfile.Read(file)
	if err != nil {
		return &unreadFile{fmt.Errorf("cannot read the configuration: %w", err)}
	}
	var errs []error
	for _, err := range o.readYAML(text, environ) {
		errs = append(errs, fmt.Errorf("%s: %w", file, err))
	}
	return errors.Join(errs...)
}

// readYAML sets what a text in YAML says, and the environment does not, and returns all complaints, with their lines.
func (o *Options) readYAML(text []byte, environ []string) []error {
	root, err := readDocument(text)
	if err != nil {
		return []error{&unreadFile{err}}
	}
	if root == nil {
		return nil // all defaults
	}
	if root.Kind != yaml.MappingNode {
		return []error{errors.New("line 1: it must be settings, one a line, as in \"upstream: http://127.0.0.1:3000\"")}
	}
	var errs []error
	seen := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if seen[key.Value] {
			errs = append(errs, fmt.Errorf("line %d: %s is there twice", key.Line, key.Value))
			continue
		}
		seen[key.Value] = true
		if isWord(key.Value) && says(environ, key.Value) {
			continue // or the parts of one would be mixed with those of the other
		}
		errs = append(errs, complaints(o.readSetting(key.Value, value), key.Line, value)...)
	}
	return errs
}

// readDocument returns what a text in YAML says, nil where it says nothing. What stands after a line of --- would be settings that nobody reads, and is refused.
func readDocument(text []byte) (*yaml.Node, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		if indentedByTab.Match(text) {
			err = fmt.Errorf("%w; YAML is indented by spaces, and never by tabs", err)
		}
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document")
	}
	return spelledOut(document.Content[0])
}

// indentedByTab finds what YAML does not take, and what the library has no clear word for.
var indentedByTab = regexp.MustCompile(`(?m)^ *\t`)

// readSetting sets one thing that a file says.
func (o *Options) readSetting(name string, value *yaml.Node) error {
	s, known := settingNamed(name)
	if to := o.guardSwitch(name); to != nil && value.Kind == yaml.ScalarNode && value.Tag != "!!null" {
		return setSwitch(name, to, value.Value)
	}
	if isWord(name) {
		word := &yaml.Node{Kind: yaml.ScalarNode, Value: name}
		return decodeStrictly(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word, value}}, &o.Guard)
	}
	if !known {
		return fmt.Errorf("there is no setting %s%s", name, resembling(name))
	}
	list, isList := s.to(o).(*[]string)
	switch {
	case isList && value.Kind == yaml.ScalarNode && strings.TrimSpace(value.Value) == "" && value.Tag != "!!null":
		return namesNothing(name, value.Value) // a template that filled nothing in, mostly
	case value.Kind == yaml.ScalarNode && value.Tag != "!!null":
		return s.Set(o, value.Value)
	case value.Kind == yaml.SequenceNode && isList:
		return decodeStrictly(value, list)
	}
	return fmt.Errorf("%s must be %s", name, map[bool]string{true: "a list", false: "one value"}[isList])
}

// isWord reports whether a name is that of a setting of the guard which is none of Settings: one with a structure of its own, mostly.
func isWord(name string) bool {
	_, known := settingNamed(name)
	return !known && slices.Contains(guard.Words(), name)
}

// readWord sets one of these to a text in YAML, or JSON, which is YAML too.
func (o *Options) readWord(name, text string) error {
	value, err := readDocument([]byte(text))
	if err == nil && value == nil { // and what a file says under this name is not asked
		err = errors.New("it has no value; give it one, or leave it out")
	}
	if err != nil {
		return fmt.Errorf("%s in the environment: %w", envName(name), err)
	}
	var errs []error
	for _, err := range complaints(o.readSetting(name, value), 1, value) {
		errs = append(errs, fmt.Errorf("%s in the environment: %w", envName(name), err))
	}
	return errors.Join(errs...)
}

// resembling returns a hint at the setting that was meant, where one begins alike, or is a slip of the finger away.
func resembling(name string) string {
	name = strings.ReplaceAll(name, "-", "_")
	words := guard.Words()
	for _, s := range Settings {
		if len(name) > 3 && strings.HasPrefix(s.Name, name) {
			return "; did you mean " + s.Name + "?"
		}
		words = append(words, s.Name)
	}
	for _, word := range words {
		if name == word || len(name) > 3 && (strings.HasPrefix(name, word) && len(word) > 3 || slipped(name, word)) {
			return "; did you mean " + word + "?"
		}
	}
	return ""
}

// slipped reports whether one text is the other with a letter more, less, or mistaken, or with two neighbours swapped.
func slipped(a, b string) bool {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}

// says reports whether the environment sets what has this name in a file.
func says(environ []string, name string) bool {
	return slices.ContainsFunc(environ, func(pair string) bool {
		text, there := strings.CutPrefix(pair, envName(name)+"=")
		return there && text != ""
	})
}

// ofKubernetes finds, without our prefix, the variables that Kubernetes makes for services named postern, or postern-data.
var ofKubernetes = regexp.MustCompile(`^(|.+_)(service_host|service_port(|_.+)|port(|_[0-9]+_(tcp|udp|sctp)(|_proto|_port|_addr)))$`)

// readEnviron sets what the environment says. A variable with our prefix that is no setting is a mistake where it looks like
// one; else it is somebody else's, or one that is called otherwise here, which Warnings says.
func (o *Options) readEnviron(environ []string) error {
	var errs []error
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		short, ours := strings.CutPrefix(name, "POSTERN_")
		if !ours || text == "" {
			continue
		}
		short = strings.ToLower(short)
		if s, known := settingNamed(short); known {
			errs = append(errs, s.Set(o, text))
		} else if isWord(short) {
			errs = append(errs, o.readWord(short, text))
		} else if ofKubernetes.MatchString(short) {
			continue
		} else if hint := resembling(short); hint != "" {
			errs = append(errs, fmt.Errorf("%s in the environment is no setting%s", name, hint))
		} else {
			o.unread = append(o.unread, name)
		}
	}
	return errors.Join(errs...)
}
