package tokentest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"gatehouse/internal/fault"
	"gatehouse/internal/id"
)

// forms forges honest tokens in other spellings than the one there is.
func (f *forger) forms() {
	honest := f.signed(f.header(), f.payload())
	input := f.input(f.header(), f.payload())
	for name, lineBreak := range map[string]string{"LF": "\n", "CRLF": "\r\n", "CR": "\r"} {
		at, within := len(honest)-10, len(input)-10
		f.reject("newline-in-token",
			variant{name + " in the signature", honest[:at] + lineBreak + honest[at:]},
			variant{name + " in the payload", f.sealed(input[:within] + lineBreak + input[within:])},
		)
	}
	f.trailing()
	f.reject("padding",
		variant{"behind the signature", honest + "="},
		variant{"twice", honest + "=="},
		variant{"behind the payload", f.sealed(input + "=")},
	)
	f.standard()

	header, payload := string(f.json(f.header())), string(f.json(f.payload()))
	double := func(text, member string) string { return "{" + member + "," + text[1:] }
	tail := func(text, member string) string { return text[:len(text)-1] + "," + member + "}" }
	spelt := func(header, payload string) string {
		return f.sealed(encode([]byte(header)) + "." + encode([]byte(payload)))
	}
	other := fmt.Sprintf(`"sub":%q`, id.New(f.target.Now()))
	same := fmt.Sprintf(`"sub":%q`, f.target.Live.AccountID)
	f.reject("dup-claim",
		variant{"another first", spelt(header, double(payload, other))},
		variant{"another last", spelt(header, tail(payload, other))},
		variant{"the same twice", spelt(header, tail(payload, same))},
		variant{"escaped", spelt(header, tail(payload, strings.Replace(other, "sub", `\u0073ub`, 1)))},
		variant{"of no interest", spelt(header, tail(payload, `"x":1,"x":1`))},
	)
	f.reject("dup-alg",
		variant{"none first", spelt(double(header, `"alg":"none"`), payload)},
		variant{"none last", spelt(tail(header, `"alg":"none"`), payload)},
		variant{"the same twice", spelt(tail(header, fmt.Sprintf(`"alg":%q`, f.key.Algorithm)), payload)},
	)

	units := utf16.Encode([]rune(payload))
	f.reject("utf16",
		variant{"little endian", f.sealed(encode([]byte(header)) + "." + encode(wide(units, binary.LittleEndian)))},
		variant{"big endian", f.sealed(encode([]byte(header)) + "." + encode(wide(units, binary.BigEndian)))},
		variant{"UTF-8 with a byte order mark", spelt(header, "\ufeff"+payload)},
		variant{"no UTF-8 at all", spelt(header, tail(payload, "\"x\":\"\xff\""))},
	)
	nested := func(depth int) string { return `"x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	f.reject("deep-json",
		variant{"10,000 deep", spelt(header, tail(payload, nested(10_000)))},
		variant{"as deep as fits", spelt(header, tail(payload, nested(2_500)))},
		variant{"5 deep", spelt(header, tail(payload, nested(5)))},
		variant{"never closed", spelt(header, payload[:len(payload)-1]+`,"x":`+strings.Repeat("[", 4_000))},
	)
}

func wide(units []uint16, order binary.ByteOrder) []byte {
	text := make([]byte, 2, 2+2*len(units))
	order.PutUint16(text, 0xfeff)
	for _, unit := range units {
		var pair [2]byte
		order.PutUint16(pair[:], unit)
		text = append(text, pair[:]...)
	}
	return text
}

// trailing forges segments whose last character has bits that decode to nothing.
func (f *forger) trailing() {
	payload := f.payload()
	for padding := ""; len(f.json(payload))%3 != 1; padding += "a" {
		payload = payload.with("x", padding)
	}
	f.reject("trailing-bits", variant{"payload", f.sealed(nudge(f.input(f.header(), payload)))})
	if honest := f.signed(f.header(), payload); (len(honest)-strings.LastIndexByte(honest, '.')-1)%4 != 0 {
		f.reject("trailing-bits", variant{"signature", nudge(honest)})
	}
}

// nudge replaces the last character by the next one of the alphabet. Where the encoded bytes end inside that character its
// lowest bits are zero, so that the next one differs from it in nothing but a bit to be ignored.
func nudge(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(segment) - 1
	return segment[:last] + string(alphabet[strings.IndexByte(alphabet, segment[last])+1])
}

// standard forges segments in the alphabet of MIME.
func (f *forger) standard() {
	mime := strings.NewReplacer("-", "+", "_", "/")
	input := f.input(f.header(), f.payload().with("x", "?????")) // wherever it stands, three of them make Pz8_
	f.reject("std-b64", variant{"payload", f.sealed(mime.Replace(input))})
	for {
		honest := f.signed(f.header(), f.payload()) // another jti, hence another signature
		dot := strings.LastIndexByte(honest, '.')
		if strings.ContainsAny(honest[dot:], "-_") {
			f.reject("std-b64", variant{"signature", honest[:dot] + mime.Replace(honest[dot:])})
			return
		}
	}
}

// claims forges what is correctly signed and says the wrong thing.
func (f *forger) claims() {
	const leeway = 30 * time.Second
	claim := func(name string, value any) string { return f.signed(f.header(), f.payload().with(name, value)) }
	lacking := func(name string) string { return f.signed(f.header(), f.payload().without(name)) }
	// What encoding/json would not write.
	literally := func(name, literal string) string {
		text := strings.Replace(string(f.json(f.payload().with(name, "LITERAL"))), `"LITERAL"`, literal, 1)
		return f.sealed(encode(f.json(f.header())) + "." + encode([]byte(text)))
	}

	f.reject("exp-missing",
		variant{"absent", lacking("exp")},
		variant{"null", claim("exp", nil)},
		variant{"zero", claim("exp", 0)},
	)
	for name, ago := range map[string]time.Duration{"this moment": 0, "a second ago": time.Second, "an hour ago": time.Hour} {
		f.add(Attack{ID: "exp-past", Name: name, Header: bearer(claim("exp", f.after(-ago))), Want: Reject, Reason: fault.Expired})
	}
	early := leeway + time.Second + f.target.Slack
	f.reject("nbf-future", variant{"", claim("nbf", f.after(early))})
	f.reject("iat-future",
		variant{"an hour", claim("iat", f.after(time.Hour))},
		variant{"beyond the leeway", claim("iat", f.after(early))},
		variant{"absent", lacking("iat")},
	)
	f.reject("exp-string", variant{"", claim("exp", "9999999999")})
	for _, literal := range []string{"1e300", "9999999999.5", "1e10", "NaN", "-1", "9223372036854775807", "18446744073709551617"} {
		f.reject("exp-float", variant{literal, literally("exp", literal)})
	}

	issuer, audience := f.target.Config.Issuer, f.target.Config.Audience
	f.reject("iss-wrong",
		variant{"another", claim("iss", "https://attacker.example")},
		variant{"trailing slash", claim("iss", issuer+"/")},
		variant{"case", claim("iss", strings.ToUpper(issuer))},
		variant{"absent", lacking("iss")},
		variant{"list", claim("iss", []string{issuer})},
	)
	f.reject("aud-missing",
		variant{"absent", lacking("aud")},
		variant{"empty", claim("aud", "")},
		variant{"null", claim("aud", nil)},
	)
	f.reject("aud-other",
		variant{"another", claim("aud", "another")},
		variant{"empty list", claim("aud", []string{})},
		variant{"list of another", claim("aud", []string{"another"})},
		variant{"case", claim("aud", strings.ToUpper(audience))},
	)
	f.reject("aud-prefix",
		variant{"ours and more", claim("aud", audience+".attacker.example")},
		variant{"less than ours", claim("aud", audience[:len(audience)-1])},
	)

	f.reject("sub-missing",
		variant{"absent", lacking("sub")},
		variant{"empty", claim("sub", "")},
		variant{"null", claim("sub", nil)},
		variant{"number", claim("sub", 1)},
		variant{"nil UUID", claim("sub", id.ID{}.String())},
		variant{"upper case", claim("sub", strings.ToUpper(f.target.Live.AccountID.String()))},
		variant{"sid is missing", lacking("sid")},
		variant{"jti is missing", lacking("jti")},
		variant{"client_id is missing", lacking("client_id")},
	)
	f.add(Attack{
		ID: "sub-deleted", Header: bearer(f.signed(f.header(), f.payloadOf(f.target.Disabled))),
		Want: Reject, Reason: fault.Revoked, By: BySession,
	})
	f.add(Attack{
		ID: "sid-revoked", Header: bearer(f.signed(f.header(), f.payloadOf(f.target.Revoked))),
		Want: Reject, Reason: fault.Revoked, By: BySession,
	})
}
