package settings

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The bounds of ACCESS_TOKEN_TTL.
const (
	minAccessTokenTTL = time.Second
	maxAccessTokenTTL = 24 * time.Hour
)

// Check reports the first rule that the settings break, in one sentence that says what to do.
func (s *Settings) Check() error {
	for _, rule := range []func() error{
		s.checkAddr, s.checkDatabase, s.checkSecret, s.checkSigning, s.checkIssuer, s.checkAudience, s.checkTTL,
	} {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) checkAddr() error {
	_, port, err := net.SplitHostPort(s.Addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("ADDR must be a host and a port from 0 to 65535: set it like 127.0.0.1:8080, or :8080 for every interface")
	}
	return nil
}

func (s *Settings) checkDatabase() error {
	for _, scheme := range []string{embeddedScheme, "postgres://", "postgresql://"} {
		if strings.HasPrefix(s.DatabaseURL, scheme) {
			return nil
		}
	}
	return errors.New("DATABASE_URL must start with sqlite:// or postgres://: set it like sqlite://gatehouse.db")
}

func (s *Settings) checkSecret() error {
	_, embedded := s.Embedded()
	switch {
	case s.Secret != "" && s.SecretFile != "":
		return errors.New("SECRET and SECRET_FILE are both set: keep one of them")
	case s.Secret == "" && s.SecretFile == "" && !embedded:
		return errors.New("SECRET is missing, and only an embedded database has one made for it: " +
			"set SECRET to the output of \"openssl rand -base64 32\", the same for every replica")
	}
	return nil
}

func (s *Settings) checkSigning() error {
	switch {
	case s.SigningAlg == HS256 && s.JWTSecret == "":
		return errors.New("SIGNING_ALG=HS256 signs with a key of yours: set JWT_SECRET to the output of \"openssl rand -base64 32\"")
	case s.SigningAlg != HS256 && s.JWTSecret != "":
		return errors.New("JWT_SECRET is for HS256 alone: remove it, or set SIGNING_ALG=HS256")
	}
	return nil
}

func (s *Settings) checkIssuer() error {
	if s.Mode == Production && s.Origin("ISSUER") == FromDefault {
		return errors.New("MODE=production needs to know its own address: set ISSUER to the https URL at which clients reach it")
	}
	u, err := url.Parse(s.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("ISSUER must be a whole URL: set it like https://auth.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(s.Issuer, "?#"):
		return errors.New("ISSUER must be a plain URL: remove the user, the query and the fragment")
	case s.Mode == Production && u.Scheme != "https" && !loopback(u.Hostname()):
		return errors.New("ISSUER must begin with https:// when MODE=production, unless it is a loopback address")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

func (s *Settings) checkAudience() error {
	if s.Audience == "" || strings.ContainsFunc(s.Audience, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return errors.New("AUDIENCE must be one word: set it to the name of your API, such as gatehouse")
	}
	return nil
}

func (s *Settings) checkTTL() error {
	ttl := s.AccessTokenTTL
	if ttl < minAccessTokenTTL || ttl > maxAccessTokenTTL || ttl%time.Second != 0 {
		return errors.New("ACCESS_TOKEN_TTL must be whole seconds from 1s to 24h: set it like 10m")
	}
	return nil
}
