package httpapi

import "testing"

func TestFormObject(t *testing.T) {
	for text, want := range map[string]string{
		"user[username]=dave&user[user_type]=human":           `{"user":{"user_type":"human","username":"dave"}}`,
		"user[org_ids][]=a&user%5Borg_ids%5D%5B%5D=b+c&x=%2B": `{"user":{"org_ids":["a","b c"]},"x":"+"}`,
		"a=1&": `{"a":"1"}`, "&a=1&&b=2": `{"a":"1","b":"2"}`, "&": `{}`,
		"a=1&a=2": "", "a=1&a[b]=2": "", "a[b]=1&a[]=2": "", "a[b=1": "", "a]=1": "", "[a]=1": "", "a[b]c=1": "", "a[[b]]=1": "",
		"a[][b]=1": "", "=1": "", "a=%": "", "a=%ff": "",
	} {
		got, err := formObject(text)
		if (err == nil) != (want != "") || string(got) != want {
			t.Errorf("formObject(%q) = %s, %v; want %q", text, got, err, want)
		}
	}
}

// FuzzFormObject: what is read is an object that the reader of JSON takes as well, and nothing is read where it is refused.
func FuzzFormObject(f *testing.F) {
	f.Add("user[username]=dave&user[org_ids][]=a&permissions=p")
	f.Add("a[b][c]=1&a[b]=2")
	f.Fuzz(func(t *testing.T, text string) {
		object, err := formObject(text)
		if err != nil {
			if object != nil {
				t.Errorf("formObject(%q) is refused and returns %s", text, object)
			}
			return
		}
		if _, err := parseObject(object); err != nil {
			t.Errorf("formObject(%q) = %s, which is not read: %v", text, object, err)
		}
	})
}

func TestFormArray(t *testing.T) {
	for _, c := range []struct{ object, want string }{
		{`{"0":"a","1":"b"}`, `["a","b"]`},
		{`{"1":"b","0":"a"}`, `["a","b"]`},
		{`{"\u0030":"a"}`, `["a"]`},
		{`{}`, `{}`},
		{`{"1":"b"}`, `{"1":"b"}`},
		{`{"0":"a","2":"c"}`, `{"0":"a","2":"c"}`},
		{`{"0":"a","00":"b"}`, `{"0":"a","00":"b"}`},
		{`{"-0":"a"}`, `{"-0":"a"}`},
		{`{"+0":"a"}`, `{"+0":"a"}`},
		{`{"a":"a"}`, `{"a":"a"}`},
		{`"0"`, `"0"`},
	} {
		if got := formArray([]byte(c.object)); string(got) != c.want {
			t.Errorf("formArray(%s) = %s; want %s", c.object, got, c.want)
		}
	}
}
