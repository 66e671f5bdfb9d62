package keyring

import "time"

// Phase is where a key is in its life.
type Phase string

// The phases, in their order.
const (
	Published Phase = "published" // in the JWK set, so that others know it before the first token that it signs
	Signing   Phase = "signing"   // what new tokens are signed with
	Verifying Phase = "verifying" // signs no more; the tokens it signed are accepted
	Retired   Phase = "retired"   // in no set, and no token of it is accepted
)

// Seal says which master secret a private key is sealed under.
type Seal string

// The seals.
const (
	SealFirst  Seal = "first"  // the first of the secrets at hand: the others can be left out
	SealOlder  Seal = "older"  // another of them
	SealOther  Seal = "other"  // none of them
	SealErased Seal = "erased" // none: the private key of a retired key is kept no more
)

// Info is what can be told of a key.
type Info struct {
	ID        string    `json:"kid"`
	Algorithm Algorithm `json:"algorithm"`
	Phase     Phase     `json:"phase"`
	CreatedAt time.Time `json:"createdAt"`
	SignsAt   time.Time `json:"signsAt"`
	// RetiresAt is when the key was or will be retired; nil while no other is to take its place.
	RetiresAt *time.Time `json:"retiresAt"`
	Sealed    Seal       `json:"sealed"`
}

const (
	// maxTokenTTL is taken for the life of a token where nobody says how long it is: the longest that the settings allow.
	maxTokenTTL = 24 * time.Hour

	// leeway is how much longer a key verifies than the last of its tokens lives. It covers whoever lets a token live a little
	// longer than it says, and a replica that signs until it has been told, a second late, that it should not.
	leeway = 30 * time.Second
)

// retiresAt returns when the key is refused: when it was retired, or when the last token that it signed is dead. It is false
// while no key is to take the place of this one.
func (r *row) retiresAt() (time.Time, bool) {
	switch {
	case r.RetiredAt != nil:
		return *r.RetiredAt, true
	case r.SupersededAt != nil:
		return r.SupersededAt.Add(time.Duration(r.TokenTTL)*time.Second + leeway), true
	default:
		return time.Time{}, false
	}
}

// inForce reports whether tokens of the key are accepted at now.
func (r *row) inForce(now time.Time) bool {
	at, ends := r.retiresAt()
	return r.RetiredAt == nil && (!ends || now.Before(at))
}

// signing returns the row that tokens of an algorithm are signed with at now, or of any algorithm when it is empty: the one whose
// time came last. Where the time of none has come, as after a clock was set back, it is the one that is next. It is nil when
// no row is in force.
func signing(rows []row, algorithm Algorithm, now time.Time) *row {
	var current, next *row
	for i := range rows {
		r := &rows[i]
		if algorithm != "" && r.Algorithm != algorithm || !r.inForce(now) {
			continue
		}
		switch {
		case now.Before(r.SignsAt):
			if next == nil || r.SignsAt.Before(next.SignsAt) {
				next = r
			}
		case current == nil || !r.SignsAt.Before(current.SignsAt):
			current = r
		}
	}
	if current == nil {
		return next
	}
	return current
}

// published returns the row of an algorithm that is to sign but does not yet; nil when there is none.
func published(rows []row, algorithm Algorithm, now time.Time) *row {
	for i := range rows {
		if r := &rows[i]; r.Algorithm == algorithm && r.inForce(now) && now.Before(r.SignsAt) {
			return r
		}
	}
	return nil
}

// info returns what can be told of a row by itself: which key signs depends on the others.
func (r *row) info(now time.Time) Info {
	info := Info{ID: r.KID, Algorithm: r.Algorithm, CreatedAt: r.CreatedAt.UTC(), SignsAt: r.SignsAt.UTC()}
	if at, ends := r.retiresAt(); ends {
		at = at.UTC()
		info.RetiresAt = &at
	}
	switch {
	case !r.inForce(now):
		info.Phase = Retired
	case now.Before(r.SignsAt):
		info.Phase = Published
	default:
		info.Phase = Verifying
	}
	return info
}
