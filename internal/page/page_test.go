package page_test

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
	"gatehouse/internal/page"
)

var noon = time.Date(2031, 4, 5, 12, 0, 0, 123_456_000, time.UTC)

func TestParseTakesEverySize(t *testing.T) {
	t.Parallel()
	for size := 1; size <= page.MaxSize; size++ {
		q, err := page.Request{First: size}.Parse()
		if err != nil || q.Limit != size || q.After != nil {
			t.Errorf("first %d: %+v, %v", size, q, err)
		}
	}
	if page.DefaultSize < 1 || page.DefaultSize > page.MaxSize {
		t.Errorf("the default size, %d, is refused", page.DefaultSize)
	}
}

func TestParseRefusesSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, -1, math.MinInt, page.MaxSize + 1, math.MaxInt32, math.MaxInt} {
		q, err := page.Request{First: size}.Parse()
		wantBadInput(t, err, strconv.Itoa(page.MaxSize))
		if q != (page.Query{}) {
			t.Errorf("first %d: %+v beside an error", size, q)
		}
	}
}

func TestParseRefusesCursors(t *testing.T) {
	t.Parallel()
	good := page.Cursor{CreatedAt: noon, ID: id.New(noon)}.String()
	tooLate := page.Cursor{CreatedAt: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}.String()
	tooEarly := page.Cursor{CreatedAt: time.Unix(-1, 0)}.String()
	for name, after := range map[string]string{
		"a word":               "nonsense",
		"a space":              " ",
		"cut short":            good[:31],
		"too long":             good + "A",
		"padded":               good + "=",
		"twice":                good + good,
		"padded at length":     good[:31] + "=",
		"the other alphabet":   good[:31] + "+",
		"a line break":         good + "\n",
		"line break at length": good[:30] + "\r\n",
		"line break inside":    good[:16] + "\n" + good[17:],
		"NUL":                  good[:31] + "\x00",
		"not ASCII":            good[:30] + "é",
		"year 10000":           tooLate,
		"before 1970":          tooEarly,
		"all ones":             strings.Repeat("_", 32),
		"a megabyte":           strings.Repeat("A", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q, err := page.Request{First: 1, After: after}.Parse()
			wantBadInput(t, err, "after")
			if q != (page.Query{}) {
				t.Errorf("%+v beside an error", q)
			}
			if err != nil && len(after) > 5 && strings.Contains(err.Error(), after) {
				t.Errorf("%q quotes the cursor", err)
			}
		})
	}
}

func wantBadInput(t *testing.T, err error, mentions string) {
	t.Helper()
	known, ok := errors.AsType[*fault.Error](err)
	if !ok || known.Code != fault.BadUserInput || !strings.Contains(known.Message, mentions) {
		t.Errorf("%v, want BAD_USER_INPUT that mentions %s", err, mentions)
	}
}

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	zone := time.FixedZone("somewhere", 7*60*60)
	for _, test := range []struct {
		name     string
		at, want time.Time
	}{
		{"microseconds", noon, noon},
		{"nanoseconds are cut", noon.Add(999), noon},
		{"another zone", noon.In(zone), noon},
		{"the epoch", time.Unix(0, 0), time.Unix(0, 0).UTC()},
		{"the last microsecond", last, last},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, row := range []id.ID{{}, id.New(noon), {0: 0xff, 15: 0xff}} {
				text := page.Cursor{CreatedAt: test.at, ID: row}.String()
				if len(text) != 32 {
					t.Errorf("%q has %d characters, want 32", text, len(text))
				}
				q, err := page.Request{First: 7, After: text}.Parse()
				if err != nil {
					t.Fatal(err)
				}
				want := page.Query{Limit: 7, After: &page.Cursor{CreatedAt: test.want, ID: row}}
				if diff := cmp.Diff(want, q); diff != "" {
					t.Error(diff)
				}
				if zone := q.After.CreatedAt.Location(); zone != time.UTC {
					t.Errorf("zone %v, want UTC", zone)
				}
			}
		})
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	cursor := func(row int) page.Cursor { return page.Cursor{CreatedAt: noon.Add(time.Duration(row) * time.Second)} }
	texts := func(rows ...int) []string {
		out := make([]string, len(rows))
		for i, row := range rows {
			out[i] = cursor(row).String()
		}
		return out
	}
	behind := cursor(0)
	for _, test := range []struct {
		name  string
		rows  []int
		query page.Query
		want  page.Page[int]
	}{
		{"no rows", nil, page.Query{Limit: 2}, page.Page[int]{Nodes: []int{}, Cursors: []string{}}},
		{"fewer", []int{1}, page.Query{Limit: 2}, page.Page[int]{Nodes: []int{1}, Cursors: texts(1)}},
		{"exactly", []int{1, 2}, page.Query{Limit: 2}, page.Page[int]{Nodes: []int{1, 2}, Cursors: texts(1, 2)}},
		{
			"one more",
			[]int{1, 2, 3},
			page.Query{Limit: 2},
			page.Page[int]{Nodes: []int{1, 2}, Cursors: texts(1, 2), HasNext: true},
		},
		{
			"many more",
			[]int{1, 2, 3, 4, 5},
			page.Query{Limit: 1},
			page.Page[int]{Nodes: []int{1}, Cursors: texts(1), HasNext: true},
		},
		{
			"behind a cursor",
			[]int{1, 2, 3},
			page.Query{Limit: 2, After: &behind},
			page.Page[int]{Nodes: []int{1, 2}, Cursors: texts(1, 2), HasNext: true, HasPrevious: true},
		},
		{
			"behind the last row",
			nil,
			page.Query{Limit: 2, After: &behind},
			page.Page[int]{Nodes: []int{}, Cursors: []string{}, HasPrevious: true},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, page.Cut(test.rows, test.query, cursor)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCutLeavesRowsAlone: what is done to a page's nodes doesn't reach the rows it was cut from.
func TestCutLeavesRowsAlone(t *testing.T) {
	t.Parallel()
	rows := []int{1, 2, 3}
	cut := page.Cut(rows, page.Query{Limit: 2}, func(int) page.Cursor { return page.Cursor{} })
	cut.Nodes[0] = 9
	_ = append(cut.Nodes, 9)
	if diff := cmp.Diff([]int{1, 2, 3}, rows); diff != "" {
		t.Error(diff)
	}
}

// FuzzCursor: what is accepted is in range and has one spelling.
func FuzzCursor(f *testing.F) {
	f.Add(page.Cursor{CreatedAt: noon, ID: id.ID{1, 2, 3}}.String())
	f.Add(strings.Repeat("A", 32))
	f.Add(strings.Repeat("_", 32))
	f.Add("A" + strings.Repeat("\n", 31))
	f.Fuzz(func(t *testing.T, after string) {
		q, err := page.Request{First: 1, After: after}.Parse()
		if err != nil {
			wantBadInput(t, err, "after")
			return
		}
		if after == "" {
			if q.After != nil {
				t.Errorf("no cursor means the first page, not %v", q.After)
			}
			return
		}
		if q.After.String() != after {
			t.Errorf("%q is also spelled %q", after, q.After)
		}
		if year := q.After.CreatedAt.Year(); year < 1970 || year > 9999 || q.After.CreatedAt.Nanosecond()%1000 != 0 {
			t.Errorf("%v is out of range", q.After.CreatedAt)
		}
	})
}
