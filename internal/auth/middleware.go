package auth

import (
	"context"
	"errors"
	"net/http"

	"gatehouse/internal/fault"
)

// ErrNoVerdict reports an authenticator that gave neither a caller nor an error.
var ErrNoVerdict = errors.New("auth: the authenticator gave neither a caller nor an error")

// Authenticator tells whose an access token is.
type Authenticator interface {
	// Authenticate returns the caller that accessToken was issued to. A token that is not accepted is a *fault.Error with
	// UNAUTHENTICATED and its reason. Any other error means that it could not be found out. With EXPIRED alone, an anonymous
	// caller with its Lapsed may come beside the error; with every other error the caller is nil.
	Authenticate(ctx context.Context, accessToken string) (*Caller, error)
}

// Middleware puts the caller into the request's context, for [FromContext]. It rejects nobody: without a credential, with a
// bad one, and when nobody could tell, the caller is anonymous, and Caller.Refusal says why. What kept us from telling is
// the Refusal's Cause; whoever answers the refusal logs it, beside the request's id and the operation it stopped.
func Middleware(a Authenticator, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := Identify(r.Context(), a, r.Header)
		next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), caller)))
	})
}

// Identify returns whom the credential in a header belongs to, as [Middleware] does. It never returns nil.
func Identify(ctx context.Context, a Authenticator, h http.Header) *Caller {
	accessToken, refusal := Bearer(h)
	if refusal != nil {
		return Anonymous(refusal)
	}
	caller, err := a.Authenticate(ctx, accessToken)
	if err == nil && caller == nil {
		err = ErrNoVerdict
	}
	if err != nil {
		nobody := Anonymous(refusalOf(err))
		if caller != nil && nobody.Refusal.Reason == fault.Expired {
			nobody.Lapsed = caller.Lapsed
		}
		return nobody
	}
	return caller
}

// refusalOf keeps a verdict on the credential as it is. Everything else says nothing of the credential, so it must not read
// as if it did: it becomes SERVICE_UNAVAILABLE.
func refusalOf(err error) *fault.Error {
	known, ok := errors.AsType[*fault.Error](err)
	if ok && (known.Code == fault.Unauthenticated || known.Code == fault.Unavailable) {
		return known
	}
	return fault.Outage(err)
}
