package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/web/strictjson"
)

func TestCheckRefusesWhatIsNotOneJSONValue(t *testing.T) {
	t.Parallel()
	for text, place := range map[string]string{
		``:                            "line 1, column 1",
		` `:                           "line 1, column 2",
		`{`:                           "line 1, column 2",
		`{"a":1}x`:                    "line 1, column 8",
		`{"a":1} {}`:                  "line 1, column 9",
		"{\n  \"a\": 1,\n  \"a\": 2}": "line 3, column 3",
		`{"a":1,"\u0061":2}`:          "line 1, column 8",
		`{"ä":1,}`:                    "line 1, column 8",
		`[1,]`:                        "line 1, column 4",
		`[1 2]`:                       "line 1, column 4",
		`{a:1}`:                       "line 1, column 2",
		`{'a':1}`:                     "line 1, column 2",
		`{"a" 1}`:                     "line 1, column 6",
		`"a`:                          "line 1, column 3",
		`"a\`:                         "line 1, column 4",
		`"\x"`:                        "line 1, column 2",
		`"\u12"`:                      "line 1, column 2",
		`"\u12_4"`:                    "line 1, column 2",
		`"\ud800"`:                    "line 1, column 2",
		`"\ud800\u0041"`:              "line 1, column 2",
		`"\udc00\ud800"`:              "line 1, column 2",
		"\"a\nb\"":                    "line 1, column 3",
		"\"\xff\"":                    "line 1, column 2",
		"\"\xed\xa0\x80\"":            "line 1, column 2",
		"\ufeff{}":                    "line 1, column 1",
		`01`:                          "line 1, column 3",
		`+1`:                          "line 1, column 1",
		`-`:                           "line 1, column 2",
		`1.`:                          "line 1, column 3",
		`.5`:                          "line 1, column 1",
		`1e`:                          "line 1, column 3",
		`[1e401]`:                     "line 1, column 2",
		`1e99999999999999999999`:      "line 1, column 1",
		`1e-401`:                      "line 1, column 1",
		strings.Repeat("1", 129):      "line 1, column 1",
		`NaN`:                         "line 1, column 1",
		`nul`:                         "line 1, column 1",
		`truex`:                       "line 1, column 5",
		strings.Repeat("[", 102):      "line 1, column 102",
		strings.Repeat("[", 100_000):  "line 1, column 102",
	} {
		err := strictjson.Check([]byte(text))
		var e *busbar.Error
		if !errors.As(err, &e) || e.Code != busbar.CodeInvalidJSON {
			t.Errorf("%.40q: got %v, want INVALID_JSON", text, err)
			continue
		}
		if !strings.HasPrefix(e.Message, place+":") {
			t.Errorf("%.40q: got %q, want it at %s", text, e.Message, place)
		}
	}
}

func TestCheckTakesJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`0`, `-0.5e-10`, `1E+400`, `true`, `null`, `""`, `"\u0000\ud83d\ude00 ä \"\\\/\b\f\n\r\t"`, ` [ ] `, "\t{\r\n}", `[[],{},"",0]`,
		`{"a":{"a":1},"b":[{"a":1},{"a":1}]}`, strings.Repeat("[", 101) + strings.Repeat("]", 101), strings.Repeat("1", 128),
	} {
		if err := strictjson.Check([]byte(text)); err != nil {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestDuplicateKeysAreFoundAmongMany(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	if err := strictjson.Check([]byte("{" + b.String() + `"last":1}`)); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 7, 8, 9, 999} {
		if strictjson.Check(fmt.Appendf(nil, `{%s"k%d":1}`, b.String(), i)) == nil {
			t.Errorf("k%d twice was not noticed", i)
		}
	}
}

type inner struct {
	Level float64 `json:"level"`
}

type request struct {
	Name    string                                 `json:"name"`
	Count   int                                    `json:"count"`
	On      bool                                   `json:"on"`
	List    []string                               `json:"list"`
	Map     map[string]strictjson.Optional[string] `json:"map"`
	State   strictjson.Optional[inner]             `json:"state"`
	Comment strictjson.Optional[string]            `json:"comment"`
	Data    json.RawMessage                        `json:"data"`
}

func TestDecodeReadsEveryKind(t *testing.T) {
	t.Parallel()
	var got request
	err := strictjson.Decode([]byte(` {"name":"a\nb","count":-3,"on":true,"list":["x", "y"],"map":{"k":"v","n":null},
		"state" : {"level":1.5e1},"comment":null,"data": {"x": [1, 2]} } `), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := request{
		Name: "a\nb", Count: -3, On: true, List: []string{"x", "y"},
		Map:     map[string]strictjson.Optional[string]{"k": {Given: true, Value: "v"}, "n": {Given: true, Null: true}},
		State:   strictjson.Optional[inner]{Given: true, Value: inner{Level: 15}},
		Comment: strictjson.Optional[string]{Given: true, Null: true},
		Data:    json.RawMessage(`{"x": [1, 2]}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeNamesEachProblem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		code busbar.Code
		want []string
	}{
		"unknown":         {`{"nam":"x"}`, busbar.CodeUnknownField, []string{"nam unknown_field"}},
		"case":            {`{"Name":"x"}`, busbar.CodeUnknownField, []string{"Name unknown_field"}},
		"unknown within":  {`{"state":{"lvl":1}}`, busbar.CodeUnknownField, []string{"state.lvl unknown_field"}},
		"odd name":        {`{"a.b":1,"":2}`, busbar.CodeUnknownField, []string{`["a.b"] unknown_field`, `[""] unknown_field`}},
		"types":           {`{"name":1,"count":"1","on":0,"list":{},"map":[]}`, busbar.CodeValidationFailed, []string{"name type", "count type", "on type", "list type", "map type"}},
		"item":            {`{"list":["a",1,null]}`, busbar.CodeValidationFailed, []string{"list[1] type", "list[2] type"}},
		"member":          {`{"map":{"a b":1}}`, busbar.CodeValidationFailed, []string{`map["a b"] type`}},
		"fraction":        {`{"count":1.5}`, busbar.CodeValidationFailed, []string{"count type"}},
		"big":             {`{"count":9223372036854775808}`, busbar.CodeValidationFailed, []string{"count type"}},
		"null":            {`{"name":null}`, busbar.CodeValidationFailed, []string{"name type"}},
		"huge":            {`{"state":{"level":1e400}}`, busbar.CodeValidationFailed, []string{"state.level type"}},
		"not an object":   {`[]`, busbar.CodeValidationFailed, []string{"body type"}},
		"both are listed": {`{"count":"1","x":1}`, busbar.CodeUnknownField, []string{"count type", "x unknown_field"}},
		"not JSON":        {`{"name":}`, busbar.CodeInvalidJSON, nil},
	} {
		err := strictjson.Decode([]byte(tc.text), &request{})
		var e *busbar.Error
		if !errors.As(err, &e) || e.Code != tc.code {
			t.Errorf("%s: got %v, want %s", name, err, tc.code)
			continue
		}
		var got []string
		for _, f := range e.Fields {
			got = append(got, f.Path+" "+f.Code)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestElementsAreGivenWhole(t *testing.T) {
	t.Parallel()
	var got []string
	for e := range strictjson.Elements([]byte(` [ {"a":"]\"}"} , [1,[2]] ,"x,y", -1.5e3,null ] `)) {
		got = append(got, string(e))
	}
	want := []string{`{"a":"]\"}"}`, `[1,[2]]`, `"x,y"`, `-1.5e3`, `null`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzDecode holds the reader against the standard library's: what it takes is JSON, and means the same.
func FuzzDecode(f *testing.F) {
	f.Add(`{"name":"x","count":1,"on":true,"list":["a"],"map":{"k":null},"state":{"level":1},"comment":"c","data":{"a":[1]}}`)
	f.Add(`[{"a":1},"\ud83d\ude00",1e5]`)
	f.Fuzz(func(t *testing.T, text string) {
		if err := strictjson.Check([]byte(text)); err != nil {
			if busbar.CodeOf(err) != busbar.CodeInvalidJSON {
				t.Fatalf("code of %v", err)
			}
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q was taken and is not JSON", text)
		}
		if strictjson.KindOf([]byte(text)) == "an array" {
			var want []json.RawMessage
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
			i := 0
			for e := range strictjson.Elements([]byte(text)) {
				if string(e) != string(want[i]) {
					t.Fatalf("element %d is %q, want %q", i, e, want[i])
				}
				i++
			}
			if i != len(want) {
				t.Fatalf("%d elements, want %d", i, len(want))
			}
		}
		var got request
		if strictjson.Decode([]byte(text), &got) != nil {
			return
		}
		var want struct {
			Name string          `json:"name"`
			List []string        `json:"list"`
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q was taken; the standard library says %v", text, err)
		}
		if got.Name != want.Name || !cmp.Equal(got.List, want.List) || string(got.Data) != string(want.Data) {
			t.Fatalf("%q: got %+v, want %+v", text, got, want)
		}
	})
}
