package graph_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/graph"
	"gatehouse/graph/graphtest"
	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
	"gatehouse/internal/store/storetest"
)

type soundQuery struct{ *graph.Query[graph.User] }

type bell struct{}

// Text is on every sound.
func (*bell) Text() *string { return new("ding") }

// Volume is on what is loud.
func (*bell) Volume() *int32 { return new(int32(9)) }

// Next is a whistle, which every sound says less clearly.
func (*bell) Next() *whistle { return &whistle{} }

type whistle struct{}

// Air is what no other sound has. It comes before what every sound has, so that a whistle's methods are not a sound's.
func (*whistle) Air() *string { return new("breath") }

// Text is on every sound.
func (*whistle) Text() *string { return new("tweet") }

// Next is another sound.
func (*whistle) Next() *sound { return &sound{&bell{}} }

// sound is a Sound or a Noise: either is a bell or a whistle.
type sound struct{ is any }

// ToBell reports whether it is one.
func (s *sound) ToBell() (*bell, bool) { b, ok := s.is.(*bell); return b, ok }

// ToWhistle reports whether it is one.
func (s *sound) ToWhistle() (*whistle, bool) { w, ok := s.is.(*whistle); return w, ok }

// Text is on every sound.
func (s *sound) Text() *string {
	if b, ok := s.ToBell(); ok {
		return b.Text()
	}
	return new(whistle).Text()
}

// Next is another sound.
func (s *sound) Next() *sound {
	if _, ok := s.ToBell(); ok {
		return &sound{&whistle{}}
	}
	return &sound{&bell{}}
}

func (*soundQuery) Bell() *bell { return &bell{} }

func (*soundQuery) Sounds() []*sound { return []*sound{{&bell{}}, {&whistle{}}} }

func (*soundQuery) Noises() []*sound { return []*sound{{&bell{}}, {&whistle{}}} }

// sounds returns an executor of a schema in which interfaces and unions lead to each other.
func sounds(t *testing.T) *operation.Executor {
	t.Helper()
	p := plan(t)
	p.SDL += `
extend type Query {
  bell: Bell @public(reason: "Test.")
  sounds: [Sound!]! @public(reason: "Test.")
  noises: [Noise!]! @public(reason: "Test.")
}
interface Sound { text: String next: Sound }
interface Loud { volume: Int }
type Bell implements Sound & Loud { text: String volume: Int next: Whistle }
type Whistle implements Sound { air: String text: String next: Sound }
union Noise = Bell | Whistle`
	features := graphtest.New(t, storetest.SQLite, plan(t)).Features
	engine, err := graph.Extend(p.SDL, features, graph.Resolvers[graph.User]{
		User:  func(own graph.User) *graph.User { return &own },
		Query: func(own *graph.Query[graph.User]) any { return &soundQuery{own} },
	})
	must(t, err)
	return graphtest.NewExecutor(t, p, engine, time.Now, features.Logger)
}

// TestFragmentsOfAnyType: what is behind interfaces and unions is answered, in whatever fragments it is asked for.
func TestFragmentsOfAnyType(t *testing.T) {
	t.Parallel()
	x := sounds(t)
	const all = `[{"text":"ding","volume":9},{"text":"tweet"}]`
	for _, c := range []struct{ query, want string }{
		{`{ bell { ... on Sound { text } ... on Loud { volume } } }`, `{"bell":{"text":"ding","volume":9}}`},
		{`{ bell { ... on Sound { ... { text } } } }`, `{"bell":{"text":"ding"}}`},
		{
			`{ bell { ... on Sound { ... @include(if: true) { text } ... @skip(if: true) { no: text } } } }`,
			`{"bell":{"text":"ding"}}`,
		},
		{`{ bell { ... on Noise { ... on Bell { text } } } }`, `{"bell":{"text":"ding"}}`},
		{`{ bell { ... on Sound { ... on Noise { ... on Bell { text } } } } }`, `{"bell":{"text":"ding"}}`},
		{`{ bell { ... on Sound { ... on Whistle { text } } } }`, `{"bell":{}}`},
		{`{ bell { text ... on Sound { ... on Whistle { w: text } } } }`, `{"bell":{"text":"ding"}}`},
		{
			`{ bell { ...A } } fragment A on Sound { ...B } fragment B on Noise { ...C ... on Loud { volume } } ` +
				`fragment C on Whistle { text }`,
			`{"bell":{"volume":9}}`,
		},
		{`{ bell { ... on Sound { next { ... on Whistle { text } } } } }`, `{"bell":{"next":{"text":"tweet"}}}`},
		{
			`{ bell { next { ... on Noise { ... on Sound { text next { ...A } } } } } } fragment A on Noise { ... on Loud { volume } }`,
			`{"bell":{"next":{"text":"tweet","next":{"volume":9}}}}`,
		},
		{`{ sounds { text ... on Noise { ... on Loud { volume } } } }`, `{"sounds":` + all + `}`},
		{
			`{ sounds { ... on Loud { ... { volume } } ...A } } fragment A on Sound { text }`,
			`{"sounds":[{"volume":9,"text":"ding"},{"text":"tweet"}]}`,
		},
		{`{ noises { ... on Sound { text ... { ... on Loud { volume } } } } }`, `{"noises":` + all + `}`},
		{
			`{ noises { ...A } sounds { ...A } } fragment A on Sound { text ... on Noise { ...B } } fragment B on Loud { volume }`,
			`{"noises":` + all + `,"sounds":` + all + `}`,
		},
		{
			`{ noises { __typename ... on Loud { ... on Sound { ... on Bell { volume } } } } }`,
			`{"noises":[{"__typename":"Bell","volume":9},{"__typename":"Whistle"}]}`,
		},
		// The same field, as every sound says it and as a bell says it more exactly.
		{
			`{ sounds { next { text } ... on Bell { next { air t: text } } } }`,
			`{"sounds":[{"next":{"text":"tweet","air":"breath","t":"tweet"}},{"next":{"text":"ding"}}]}`,
		},
		{
			`{ sounds { ... on Bell { next { air t: text } } } sounds { next { text next { text } } } }`,
			`{"sounds":[{"next":{"air":"breath","t":"tweet","text":"tweet","next":{"text":"ding"}}},` +
				`{"next":{"text":"ding","next":{"text":"tweet"}}}]}`,
		},
		{
			`{ sounds { ...A ... on Noise { ... on Bell { next { air } } } } } fragment A on Sound { next { t: text } }`,
			`{"sounds":[{"next":{"t":"tweet","air":"breath"}},{"next":{"t":"ding"}}]}`,
		},
		{
			`{ sounds { next { t: text } ... on Bell { ... on Sound { next { ... on Whistle { air } } } } } }`,
			`{"sounds":[{"next":{"t":"tweet","air":"breath"}},{"next":{"t":"ding"}}]}`,
		},
		{
			`query { sounds { next @skip(if: true) { text } ... on Bell { next { air } } next @include(if: true) { t: text } } }`,
			`{"sounds":[{"next":{"air":"breath","t":"tweet"}},{"next":{"t":"ding"}}]}`,
		},
	} {
		r := x.Execute(t.Context(), operation.Request{Query: c.query})
		if len(r.Errors) > 0 || string(r.Data) != c.want {
			t.Errorf("%s\ngot  %s %v\nwant %s", c.query, r.Data, r.Errors, c.want)
		}
	}
}

// TestMergingIsBounded: the engine compares each field with those of all other fragments. A fragment that it is given once for
// each type must not cost it the square of that.
func TestMergingIsBounded(t *testing.T) {
	t.Parallel()
	var leaves strings.Builder
	for i := range 15 {
		fmt.Fprintf(&leaves, "a%d:text ", i)
	}
	some := strings.Repeat("...on Noise{...on Sound{"+leaves.String()+"}}", 9)
	x := sounds(t)
	if r := x.Execute(t.Context(), operation.Request{Query: "{sounds{" + some + "}}"}); len(r.Errors) > 0 {
		t.Errorf("some: %s", r.Errors[0].Message)
	}
	r := x.Execute(t.Context(), operation.Request{Query: "{sounds{" + some + some + "}}"})
	if r.Stage != operation.Refused || r.Data != nil || len(r.Errors) != 1 ||
		r.Errors[0].Extensions["code"] != string(fault.ValidationFailed) {
		t.Errorf("many: %.200s %v", r.Data, r.Errors)
	}
}
