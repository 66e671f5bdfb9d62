package gqlhttp

import (
	"github.com/coder/websocket"

	"gatehouse/internal/fault"
)

// closure is why a WebSocket is closed: a code that clients act on, and a few words for people. As an error it is the cause of a
// context that has ended.
//
// The codes are chosen by what the client of graphql-transport-ws, graphql-ws, does about them. It gives up on 4400, 4401, 4409,
// 4429 and most below 2000; it connects again, after a growing and partly random wait, on 4403, 4408, 1012 and 1013; and on
// 1000, while there is something to wait for, at once and for ever, so that is never sent.
type closure struct {
	code   websocket.StatusCode
	reason string
}

func (c closure) Error() string { return c.reason }

// The closures of the protocol, and of what it does not know.
var (
	badMessage    = closure{4400, "Bad message"}
	badBinary     = closure{4400, "Bad message: send text"}
	badID         = closure{4400, "Bad message: an id has 1 to 128 characters"}
	notInit       = closure{4401, "Unauthorized: send connection_init first"}
	initTimeout   = closure{4408, "Connection initialisation timeout"}
	duplicateID   = closure{4409, "Subscriber already exists"}
	secondInit    = closure{4429, "Too many initialisation requests"}
	crowded       = closure{4429, "Too many connections of this account"}
	restarting    = closure{websocket.StatusServiceRestart, "Service restart: connect again"}
	notAnswering  = closure{code: -1, reason: "the client is gone"} // nothing is sent
	tooLong       = closure{websocket.StatusMessageTooBig, "Message too long"}
	internalError = closure{websocket.StatusInternalError, "Internal error"}
)

// unwelcome returns how a connection ends whose credential is refused at its beginning, and false where it may stay: without one
// it may do whatever takes none.
func unwelcome(refusal *fault.Error) (closure, bool) {
	switch {
	case refusal == nil, refusal.Reason == fault.Missing:
		return closure{}, false
	case refusal.Reason == fault.Expired:
		return closure{4403, "Forbidden: the access token has expired"}, true
	case refusal.Code == fault.Unauthenticated:
		return closure{4401, "Unauthorized: the access token is not accepted"}, true
	default:
		return closure{websocket.StatusTryAgainLater, "Try again later"}, true
	}
}

// lapse returns how a connection ends whose caller is no longer who they were. A client may come back with another token.
func lapse(why *fault.Error) closure {
	switch {
	case why.Reason == fault.Expired:
		return closure{4403, "Forbidden: the access token has expired"}
	case why.Reason == fault.Revoked:
		return closure{4403, "Forbidden: the session has been ended"}
	case why.Code == fault.Unauthenticated:
		return closure{4403, "Forbidden: the access token is not accepted any more"}
	default:
		return closure{websocket.StatusTryAgainLater, "Try again later"}
	}
}
