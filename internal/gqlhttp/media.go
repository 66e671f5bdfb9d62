package gqlhttp

import (
	"net/http"
	"strings"

	"gatehouse/internal/fault"
	"gatehouse/internal/operation"
)

// The media types of GraphQL over HTTP.
const (
	typeStrict = "application/graphql-response+json"
	typeJSON   = "application/json"
)

// media is how an answer goes out: its content type, and what its status means.
type media int

const (
	unnamed media = iota // application/json, because the client named nothing: 400 for request errors, 200 otherwise
	legacy               // application/json, because the client named it: 200 for every well-formed request
	strict               // application/graphql-response+json: the status tells the outcome
)

// Header values that answers share, so that none is made per request. Nobody may change them.
var (
	contentTypes = [...][]string{
		unnamed: {typeJSON + "; charset=utf-8"},
		legacy:  {typeJSON + "; charset=utf-8"},
		strict:  {typeStrict + "; charset=utf-8"},
	}
	noStore = []string{"no-store"}
	varies  = []string{"Accept, Authorization"} // what an answer depends on beside the URL and the body
)

func (m media) contentType() []string { return contentTypes[m] }

// statusPartial is 294 Partial Success, which the GraphQL-over-HTTP specification has for data that comes with errors beside it.
const statusPartial = 294

// status returns the status of a response to a well-formed request. With data, be it null, it is a success, whatever else went
// wrong: the operation ran.
func (m media) status(response *operation.Response) int {
	switch {
	case m == legacy, m == unnamed && response.Stage != operation.Refused:
		return http.StatusOK
	case response.Data != nil && len(response.Errors) > 0:
		return statusPartial
	}
	switch response.Stage {
	case operation.Refused:
		return http.StatusBadRequest
	case operation.Denied:
		if code := denial(response.Errors); code == fault.Unauthenticated || code == fault.StepUpRequired {
			return http.StatusUnauthorized
		}
		return http.StatusForbidden
	case operation.Unavailable:
		return http.StatusServiceUnavailable
	case operation.Failed:
		return http.StatusInternalServerError
	case operation.Executed:
	}
	return http.StatusOK
}

// negotiate chooses how to answer from the values of the Accept header (RFC 9110 section 12.5.1). Of the two types, the one
// of the higher quality wins, and strict where they are equal and it was named. A client that would take anything gets
// plain application/json, since it may not know of the other.
func negotiate(accept []string) (media, *refusal) {
	var forStrict, forJSON preference
	said := false
	for _, value := range accept {
		for value != "" {
			var element string
			element, value, _ = strings.Cut(value, ",")
			name, parameters, _ := strings.Cut(element, ";")
			name = strings.TrimSpace(name)
			said = said || name != ""
			quality, ok := weight(parameters)
			if !ok {
				continue
			}
			switch {
			case strings.EqualFold(name, typeStrict):
				forStrict.consider(byName, quality)
			case strings.EqualFold(name, typeJSON):
				forJSON.consider(byName, quality)
			case strings.EqualFold(name, "application/*"):
				forStrict.consider(bySubtype, quality)
				forJSON.consider(bySubtype, quality)
			case name == "*/*":
				forStrict.consider(byAny, quality)
				forJSON.consider(byAny, quality)
			}
		}
	}
	switch {
	case !said:
		return unnamed, nil
	case forStrict.quality == 0 && forJSON.quality == 0:
		return unnamed, errNotAcceptable
	case forStrict.quality > forJSON.quality, forStrict.quality == forJSON.quality && forStrict.how == byName:
		return strict, nil
	case forJSON.how == byName:
		return legacy, nil
	default:
		return unnamed, nil
	}
}

// How specifically a media range named a type; the most specific range decides on its quality.
const (
	byNothing = iota
	byAny
	bySubtype
	byName
)

// preference is what an Accept header says of one media type.
type preference struct{ how, quality int }

func (p *preference) consider(how, quality int) {
	if how > p.how {
		*p = preference{how, quality}
	}
}

// weight returns the quality value among the parameters of a media range, in thousandths (RFC 9110 section 12.4.2); 1,000
// where there is none. It reports false when it is malformed.
func weight(parameters string) (int, bool) {
	for parameters != "" {
		var parameter string
		parameter, parameters, _ = strings.Cut(parameters, ";")
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			return thousandths(strings.TrimSpace(value))
		}
	}
	return 1000, true
}

// thousandths reads a qvalue: 0 or 1 with at most three decimals, and no more than 1.
func thousandths(text string) (int, bool) {
	whole, decimals, _ := strings.Cut(text, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0, false
	}
	n := int(whole[0] - '0')
	for i := range 3 {
		digit := byte('0')
		if i < len(decimals) {
			digit = decimals[i]
		}
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = n*10 + int(digit-'0')
	}
	return n, n <= 1000
}
