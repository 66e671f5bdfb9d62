package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/auth"
	"gatehouse/internal/fault"
	"gatehouse/internal/policy"
)

func TestStepUp(t *testing.T) {
	w := houseWorld(t)
	ago := func(d time.Duration, amr ...string) *auth.Caller {
		c := w.holding("admin")
		c.AuthTime, c.AMR = clock().Add(-d), amr
		return c
	}
	denied := []string{"f Mutation.change STEP_UP_REQUIRED"}
	both := []string{"f Mutation.erase STEP_UP_REQUIRED"}
	never := ago(0, "pwd")
	never.AuthTime = time.Time{}
	for name, test := range map[string]struct {
		query  string
		caller *auth.Caller
		denied []string
	}{
		"just now":               {`mutation { f: change }`, ago(0, "pwd"), nil},
		"just in time":           {`mutation { f: change }`, ago(300*time.Second, "pwd"), nil},
		"a moment too late":      {`mutation { f: change }`, ago(300*time.Second+1, "pwd"), denied},
		"never":                  {`mutation { f: change }`, never, denied},
		"a clock a little ahead": {`mutation { f: change }`, ago(-30*time.Second, "pwd"), nil},
		"a clock too far ahead":  {`mutation { f: change }`, ago(-30*time.Second-time.Microsecond, "pwd"), denied},
		"in the far future":      {`mutation { f: change }`, ago(-1<<62, "pwd"), denied},
		"both":                   {`mutation { f: erase }`, ago(0, "pwd", "otp"), nil},
		"both, badly proved":     {`mutation { f: erase }`, ago(0, "pwd"), both},
		"both, stale":            {`mutation { f: erase }`, ago(time.Hour, "pwd", "otp"), both},
		"a level, none":          {`mutation { f: prove }`, ago(0), []string{"f Mutation.prove STEP_UP_REQUIRED"}},
		"a level, a higher one":  {`mutation { f: prove }`, ago(time.Hour, "mfa"), nil},
		"anonymous":              {`mutation { f: erase }`, nobody(), []string{"f Mutation.erase UNAUTHENTICATED"}},
		"a scope that lacks comes first": {
			`mutation { f: erase }`, &auth.Caller{}, []string{"f Mutation.erase FORBIDDEN"},
		},
		"an owner, stale": {
			`mutation { f: purge(id: "` + selfID + `") { id } }`, ago(61*time.Second, "pwd"),
			[]string{"f Mutation.purge STEP_UP_REQUIRED"},
		},
		"a parent, stale": {
			`{ f: me { recent } }`, ago(301*time.Second, "pwd"),
			[]string{"f.recent User.recent STEP_UP_REQUIRED"},
		},
		"a parent, fresh": {`{ f: me { recent } }`, ago(299*time.Second, "pwd"), nil},
		"the shortest counts": {
			`mutation { change f: purge(id: "` + selfID + `") { id } }`, ago(100*time.Second, "pwd"),
			[]string{"f Mutation.purge STEP_UP_REQUIRED"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.denied, shown(w.plan(t, test.query, "").Check(test.caller, nil))); diff != "" {
				t.Error(diff)
			}
		})
	}
	got := w.plan(t, `mutation { erase }`, "").Check(ago(time.Hour), nil)[0].Fault
	want := &fault.Error{
		Code: fault.StepUpRequired, Coordinate: "Mutation.erase", MaxAge: 5 * time.Minute, ACR: "mfa",
		Message: "Mutation.erase requires that you signed in within the last 300 seconds, at level mfa.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The clock is read once, and only for who has to be asked about the time.
func TestTheClockIsReadOnce(t *testing.T) {
	reads := 0
	schema := load(t, directives+`type Query { a: String @auth(maxAge: 60) b: String @auth(maxAge: 30) c: String @auth }`)
	engine, err := policy.Compile(schema, vocabulary(t), func() time.Time { reads++; return clock() })
	if err != nil {
		t.Fatal(err)
	}
	w := &world{schema: schema, vocabulary: vocabulary(t), engine: engine}
	stale := w.holding()
	stale.AuthTime = clock().Add(-40 * time.Second)
	const conditional = `query($v: Boolean = true) { a b @include(if: $v) c }`
	for _, test := range []struct {
		query  string
		caller *auth.Caller
		want   int
	}{{`{ c }`, w.holding(), 0}, {conditional, w.holding(), 1}, {conditional, stale, 1}, {conditional, nobody(), 0}} {
		reads = 0
		w.plan(t, test.query, "").Check(test.caller, nil)
		if reads != test.want {
			t.Errorf("%s: read %d times, want %d", test.query, reads, test.want)
		}
	}
}
