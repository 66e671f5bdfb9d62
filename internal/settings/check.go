package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The bounds of lifetimes.
const (
	minAccessTokenTTL     = time.Second
	maxAccessTokenTTL     = 24 * time.Hour
	maxRefreshAbsoluteTTL = 365 * 24 * time.Hour
	maxRefreshGrace       = 5 * time.Minute
	minKeyRotation        = time.Hour
	maxKeyPublishLead     = 24 * time.Hour
	maxSessionRetention   = 365 * 24 * time.Hour
	minAuditRetention     = 24 * time.Hour
	maxSockets            = 1_000_000

	// safeKeyPublishLead is a minute more than others keep the key set for: Cache-Control of /.well-known/jwks.json says so.
	safeKeyPublishLead = 6 * time.Minute
)

// Check reports the first rule that the settings break, in one sentence that says what to do.
func (s *Settings) Check() error {
	for _, rule := range []func() error{
		s.checkAddr, s.checkDatabase, s.CheckSecret, s.checkSigning, s.checkIssuer, s.checkPages, s.checkAudience,
		s.checkTTL, s.checkRefresh, s.checkKeys, s.checkRetention, s.checkSockets,
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

// CheckSecret reports the first rule that the settings about the master secret break, as Check does.
func (s *Settings) CheckSecret() error {
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
	case s.Mode == Production && remoteHTTP(s.Issuer):
		return errors.New("ISSUER must begin with https:// when MODE=production, unless it is a loopback address")
	}
	return nil
}

// checkPages looks at what has to do with pages in browsers.
func (s *Settings) checkPages() error {
	for _, allowed := range s.CORSOrigins {
		if s.Mode == Production && remoteHTTP(string(allowed)) {
			return errors.New("CORS_ORIGINS must not begin with http:// when MODE=production, but for loopback addresses: " +
				"whoever is in between can change such a page")
		}
	}
	if s.CookieMode && remoteHTTP(s.Issuer) {
		return errors.New("COOKIE_MODE needs an ISSUER that begins with https://, unless it is a loopback address: " +
			"browsers keep no such cookie from elsewhere")
	}
	return nil
}

// remoteHTTP reports whether what comes from a URL passes through other machines in clear.
func remoteHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !loopback(u.Hostname())
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

func (s *Settings) checkRefresh() error {
	switch {
	case s.RefreshIdleTTL < s.AccessTokenTTL:
		return errors.New("REFRESH_IDLE_TTL must not be below ACCESS_TOKEN_TTL: a session outlives its access tokens")
	case s.RefreshAbsoluteTTL < s.RefreshIdleTTL || s.RefreshAbsoluteTTL > maxRefreshAbsoluteTTL:
		return errors.New("REFRESH_ABSOLUTE_TTL must be from REFRESH_IDLE_TTL to 8760h: set it like 720h")
	case s.RefreshGrace < 0 || s.RefreshGrace > maxRefreshGrace:
		return errors.New("REFRESH_GRACE must be from 0s to 5m: set it like 30s")
	}
	return nil
}

// CheckLead reports the rule that KEY_PUBLISH_LEAD breaks by itself. A key that signed before it was published would cut short
// the life of tokens.
func (p Publishing) CheckLead() error {
	if p.KeyPublishLead < 0 || p.KeyPublishLead > maxKeyPublishLead {
		return errors.New("KEY_PUBLISH_LEAD must be from 0s to 24h: set it like 10m")
	}
	return nil
}

func (s *Settings) checkKeys() error {
	if err := s.CheckLead(); err != nil {
		return err
	}
	switch {
	case s.Mode == Production && s.KeyPublishLead < safeKeyPublishLead:
		return errors.New("KEY_PUBLISH_LEAD must be at least 6m when MODE=production: others fetch the keys every five minutes")
	case s.KeyRotation != 0 && s.KeyRotation < max(minKeyRotation, s.KeyPublishLead):
		return errors.New("KEY_ROTATION must be 0s, or at least 1h and KEY_PUBLISH_LEAD: set it like 2160h")
	}
	return nil
}

func (s *Settings) checkRetention() error {
	switch {
	case s.SessionRetention < 0 || s.SessionRetention > maxSessionRetention:
		return errors.New("SESSION_RETENTION must be from 0s to 8760h: set it like 24h")
	case s.AuditRetention != 0 && s.AuditRetention < minAuditRetention:
		return errors.New("AUDIT_RETENTION must be 24h or more, or 0s to keep everything: set it like 8760h")
	}
	return nil
}

func (s *Settings) checkSockets() error {
	for _, bound := range []struct {
		variable string
		value    int
	}{
		{"MAX_SOCKETS", s.MaxSockets},
		{"MAX_SOCKETS_PER_ACCOUNT", s.MaxSocketsPerAccount},
		{"MAX_SOCKETS_PER_ADDRESS", s.MaxSocketsPerAddress},
	} {
		if bound.value < 1 || bound.value > maxSockets {
			return fmt.Errorf("%s must be from 1 to %d: set it like 1000", bound.variable, maxSockets)
		}
	}
	return nil
}
