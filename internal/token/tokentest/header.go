package tokentest

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/keyring"
)

// algorithms forges what lies about alg.
func (f *forger) algorithms() {
	none := func(alg string) string { return f.input(f.header().with("alg", alg), f.payload()) + "." }
	f.reject("alg-none",
		variant{"without a signature", none("none")},
		variant{"with the server's signature", f.signed(f.header().with("alg", "none"), f.payload())},
	)
	for _, alg := range []string{"None", "nOnE", "NONE", " none"} {
		f.reject("alg-None", variant{alg, none(alg)})
	}
	f.reject("alg-missing", variant{"", f.signed(f.header().without("alg"), f.payload())})
	f.reject("alg-empty", variant{"", f.signed(f.header().with("alg", ""), f.payload())})
	f.reject("alg-array", variant{"", f.signed(f.header().with("alg", []string{string(f.key.Algorithm)}), f.payload())})
	f.reject("alg-lowercase", variant{"", f.signed(f.header().with("alg", strings.ToLower(string(f.key.Algorithm))), f.payload())})
}

// keys forges what is signed with something else than the target's key, in the target's key's name.
func (f *forger) keys() {
	for name, secret := range f.publicBytes() {
		f.reject("rs-hs-confusion", variant{name, f.foreign(jwt.SigningMethodHS256, secret, f.header())})
	}

	ours := f.header()
	f.reject("other-asym-alg",
		variant{"RS256", f.foreign(jwt.SigningMethodRS256, f.rsa, ours)},
		variant{"PS256", f.foreign(jwt.SigningMethodPS256, f.rsa, ours)},
		variant{"EdDSA", f.foreign(jwt.SigningMethodEdDSA, f.ed, ours)},
		variant{"ES256", f.foreign(jwt.SigningMethodES256, f.ec, ours)},
	)

	input := f.input(f.header().with("alg", "ES256"), f.payload())
	order := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	f.reject("psychic",
		variant{"r and s are 0", input + "." + encode(make([]byte, 64))},
		variant{"r and s are the order of the curve", input + "." + encode(append(order, order...))},
	)
	f.reject("es256-der", variant{"", f.der()})

	theirs := f.header().with("kid", f.kid)
	for name, header := range map[string]object{"kid of ours": ours, "kid of theirs": theirs, "no kid": ours.without("kid")} {
		f.reject("embedded-jwk", variant{name, f.foreign(jwt.SigningMethodES256, f.ec, header.with("jwk", f.jwk()))})
		f.reject("jku", variant{name, f.foreign(jwt.SigningMethodES256, f.ec, header.with("jku", f.trap+"/jwks.json"))})
		f.reject("x5u", variant{name, f.foreign(jwt.SigningMethodES256, f.ec, header.with("x5u", f.trap+"/chain.pem"))})
		f.reject("x5c", variant{name, f.foreign(jwt.SigningMethodES256, f.ec, header.with("x5c", []string{f.certificate()}))})
	}
}

// publicBytes is the target's public key in every spelling that a verifier might mistake for an HS256 secret. Of a key that
// has no public half there is only what everybody knows: its ID, and nothing.
func (f *forger) publicBytes() map[string][]byte {
	if f.key.Public == nil {
		return map[string][]byte{"kid": []byte(f.key.ID), "empty": {}}
	}
	der, err := x509.MarshalPKIXPublicKey(f.key.Public)
	if err != nil {
		f.tb.Fatal(err)
	}
	spellings := map[string][]byte{
		"DER": der,
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
	}
	switch public := f.key.Public.(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			f.tb.Fatal(err)
		}
		spellings["raw"], spellings["JWK"] = point, f.json(f.jwkOf(public))
	case *rsa.PublicKey:
		n := public.N.Bytes()
		spellings["raw"], spellings["JWK"] = n, f.json(object{"kty": "RSA", "e": "AQAB", "n": encode(n)})
	case ed25519.PublicKey:
		spellings["raw"], spellings["JWK"] = public, f.json(object{"kty": "OKP", "crv": "Ed25519", "x": encode(public)})
	}
	return spellings
}

// der is an ES256 signature in the encoding that X.509 has and JWS has not. Where the target signs otherwise it is the
// attacker's own.
func (f *forger) der() string {
	input := f.input(f.header().with("alg", "ES256"), f.payload())
	if f.key.Algorithm != keyring.ES256 {
		signature, err := jwt.SigningMethodES256.Sign(input, f.ec)
		if err != nil {
			f.tb.Fatal(err)
		}
		return input + "." + f.asn1(signature)
	}
	signature, err := f.key.Sign(input)
	if err != nil {
		f.tb.Fatal(err)
	}
	return input + "." + f.asn1(signature)
}

func (f *forger) asn1(signature []byte) string {
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		f.tb.Fatal(err)
	}
	return encode(der)
}

// certificate is the attacker's, signed by the attacker (RFC 7515 section 4.1.6: base64, not base64url).
func (f *forger) certificate() string {
	now := f.target.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "attacker"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(nil, template, template, &f.ec.PublicKey, f.ec)
	if err != nil {
		f.tb.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// headers forges the other members of the header: kid, and those that change how a token is to be verified.
func (f *forger) headers() {
	kid := func(kid string) object { return f.header().with("kid", kid) }
	injections := map[string]string{
		"OR":    "' OR 1=1--",
		"UNION": "' UNION SELECT kid, algorithm, number, sealed FROM signing_keys--",
	}
	for name, inject := range injections {
		f.reject("kid-sqli",
			variant{name + ", the attacker's signature", f.foreign(jwt.SigningMethodES256, f.ec, kid(inject))},
			variant{name + ", the server's signature", f.signed(kid(inject), f.payload())},
			variant{name + ", as long as a kid", f.signed(kid((inject + strings.Repeat(" ", 43))[:43]), f.payload())},
		)
	}
	f.reject("kid-path", variant{"", f.foreign(jwt.SigningMethodHS256, []byte{}, kid("../../../../dev/null"))})
	f.reject("kid-url",
		variant{"the attacker's signature", f.foreign(jwt.SigningMethodES256, f.ec, kid(f.trap+"/"))},
		variant{"the server's signature", f.signed(kid(f.trap+"/"), f.payload())},
	)
	f.reject("kid-nul",
		variant{"behind ours", f.signed(kid(f.key.ID+"\x00"), f.payload())},
		variant{"in ours", f.signed(kid(f.key.ID[:42]+"\x00"), f.payload())},
		variant{"alone", f.signed(kid("\x00"), f.payload())},
	)
	f.reject("kid-1MB", variant{"", f.signed(kid(strings.Repeat("a", 1_000_000)), f.payload())})
	f.reject("kid-missing",
		variant{"absent", f.signed(f.header().without("kid"), f.payload())},
		variant{"empty", f.signed(kid(""), f.payload())},
		variant{"null", f.signed(f.header().with("kid", nil), f.payload())},
	)

	f.reject("crit-unknown", variant{"", f.signed(
		f.header().with("crit", []string{"http://x/unknown"}).with("http://x/unknown", true), f.payload())})
	f.reject("crit-empty", variant{"", f.signed(f.header().with("crit", []string{}), f.payload())})
	f.unencoded()
	f.compressed()

	typ := func(typ any) string { return f.signed(f.header().with("typ", typ), f.payload()) }
	f.reject("typ-refresh", variant{"", typ("refresh+jwt")})
	f.reject("typ-id",
		variant{"typ alone", typ("JWT")},
		variant{"a whole ID token", f.signed(f.header().with("typ", "JWT"),
			f.payload().with("nonce", "n-0S6_WzA2Mj").with("aud", f.target.Config.Audience).without("scope"))},
	)
	f.reject("typ-absent",
		variant{"absent", f.signed(f.header().without("typ"), f.payload())},
		variant{"empty", typ("")},
		variant{"null", typ(nil)},
	)
	f.add(Attack{ID: "typ-full", Header: bearer(typ("application/at+jwt")), Want: Accept})
}

// unencoded forges b64=false (RFC 7797): signed over the payload as it is, and signed as if nothing were special.
func (f *forger) unencoded() {
	header := f.header().with("b64", false).with("crit", []string{"b64"})
	payload := f.payload()
	encoded := encode(f.json(header))
	whole := f.sealed(encoded + "." + string(f.json(payload)))
	signature := whole[strings.LastIndexByte(whole, '.'):]
	f.reject("b64-false",
		variant{"signed as encoded", f.signed(header, payload)},
		variant{"signed as it is", encoded + "." + encode(f.json(payload)) + signature},
		variant{"without crit", f.signed(header.without("crit"), payload)},
	)
}

// compressed forges zip=DEF, which is JWE's alone.
func (f *forger) compressed() {
	var deflated bytes.Buffer
	w, err := flate.NewWriter(&deflated, flate.BestCompression)
	if err != nil {
		f.tb.Fatal(err)
	}
	if _, err := w.Write(f.json(f.payload())); err != nil {
		f.tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.tb.Fatal(err)
	}
	header := f.header().with("zip", "DEF")
	f.reject("zip-def",
		variant{"not compressed", f.signed(header, f.payload())},
		variant{"compressed", f.sealed(encode(f.json(header)) + "." + encode(deflated.Bytes()))},
	)
}
