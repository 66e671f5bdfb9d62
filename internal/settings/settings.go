// Package settings owns what an operator can choose: the flags, the environment variables, their defaults and their help,
// in one struct each, and the rules that settings must meet together.
//
// It must never act on a setting: it opens no database, reads no secret and logs nothing.
package settings

import (
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/internal/origin"
)

// Mode is how strict the server is.
type Mode string

// The modes.
const (
	Development Mode = "development" // everything that helps while building is on
	Production  Mode = "production"  // nothing is offered that a client does not need
)

// HS256 is the one signing algorithm whose key the operator supplies.
const HS256 = "HS256"

// Listener is the setting that the server and whoever asks after its health share.
type Listener struct {
	Addr string `env:"ADDR" default:"127.0.0.1:8080" help:"Where to listen: HOST:PORT, or :PORT for every interface."`
}

// Database is the setting of every command that opens the database.
type Database struct {
	DatabaseURL string `env:"DATABASE_URL" default:"sqlite://gatehouse.db" mask:"url" help:"sqlite://FILE or a postgres:// URL."`
}

// Secrets is the settings of every command that opens what the master secret seals: that secret, or the file it is read from.
// With neither, an embedded database has one made beside it.
type Secrets struct {
	Secret     string `env:"SECRET" mask:"all" help:"Master secret: 32 random bytes or more, base64 or hex."`
	SecretFile string `env:"SECRET_FILE" help:"File that holds the master secret, instead of SECRET."`
}

// Publishing is the setting of every command that adds signing keys.
type Publishing struct {
	KeyPublishLead time.Duration `env:"KEY_PUBLISH_LEAD" default:"10m" help:"How long others can fetch a new key before it signs."`
}

// Log is the settings of every command that logs. The format auto is text on a terminal and JSON elsewhere.
type Log struct {
	LogFormat string `env:"LOG_FORMAT" default:"auto" enum:"auto,text,json" help:"auto (text on a terminal, else json), text, json."`
	LogLevel  string `env:"LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
}

// Settings is every setting of the server. Fill it with kong and [Options]; then ask [Settings.Check].
type Settings struct {
	Listener
	Database

	Secrets

	// How strict to be, and who the server is to its clients.
	Mode     Mode   `env:"MODE" default:"development" enum:"development,production" help:"development or production."`
	Issuer   string `env:"ISSUER" default:"http://localhost:8080" help:"URL of this server; the iss claim of its tokens."`
	Audience string `env:"AUDIENCE" default:"gatehouse" help:"Who its tokens are for: their aud claim."`

	// How access tokens are signed, and how long they live.
	SigningAlg string `env:"SIGNING_ALG" default:"ES256" enum:"ES256,RS256,EdDSA,HS256" help:"ES256, RS256, EdDSA or HS256."`
	JWTSecret  string `env:"JWT_SECRET" mask:"all" help:"Signing key of HS256: 32 random bytes or more."`

	AccessTokenTTL time.Duration `env:"ACCESS_TOKEN_TTL" default:"10m" help:"Life of an access token: 1s to 24h."`

	KeyRotation time.Duration `env:"KEY_ROTATION" default:"2160h" help:"Age at which a signing key is replaced; 0s is never."`
	Publishing

	// How long a session lives, and how forgiving it is of answers that were lost.
	RefreshIdleTTL     time.Duration `env:"REFRESH_IDLE_TTL" default:"336h" help:"Life of a session that is not refreshed."`
	RefreshAbsoluteTTL time.Duration `env:"REFRESH_ABSOLUTE_TTL" default:"720h" help:"Life of any session: up to 8760h."`
	RefreshGrace       time.Duration `env:"REFRESH_GRACE" default:"30s" help:"Life of a replaced refresh token: 0s (none) to 5m."`

	// How long what is over is kept.
	SessionRetention time.Duration `env:"SESSION_RETENTION" default:"24h" help:"How long a session is kept after it ended."`
	AuditRetention   time.Duration `env:"AUDIT_RETENTION" default:"8760h" help:"Life of an audit entry: 24h or more; 0s: for ever."`

	TrustedDocuments string `env:"TRUSTED_DOCUMENTS" help:"Folder with manifests of documents; production runs no others."`

	// Which web pages may use the API, and where they keep their sessions.
	CORSOrigins []origin.Origin `env:"CORS_ORIGINS" help:"Origins whose pages may use the API: https://app.example.com,..."`
	CookieMode  bool            `env:"COOKIE_MODE" default:"false" help:"Keep refresh tokens in a cookie that no script can read."`

	// How many WebSockets and event streams may be open at once. They cost memory for as long as their clients please.
	MaxSockets           int `env:"MAX_SOCKETS" default:"5000" help:"WebSockets and event streams at once, in this process."`
	MaxSocketsPerAccount int `env:"MAX_SOCKETS_PER_ACCOUNT" default:"100" help:"How many of them one account may have."`
	MaxSocketsPerAddress int `env:"MAX_SOCKETS_PER_ADDRESS" default:"500" help:"How many may come from one address, or IPv6 /64."`

	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES" help:"Networks whose X-Forwarded-For is believed: 10.0.0.0/8,..."`
	Log
	Migrate bool `env:"MIGRATE" default:"true" help:"Bring the schema up to date at start; --migrate=false does not."`

	rows []Row
}

// embeddedScheme begins the URL of an embedded database; what follows is its file.
const embeddedScheme = "sqlite://"

// secretName is the file that holds the master secret made for an embedded database.
const secretName = "gatehouse.secret"

// Embedded returns the path of the embedded database's file, or false where the database is not embedded.
func (d Database) Embedded() (path string, ok bool) {
	return strings.CutPrefix(d.DatabaseURL, embeddedScheme)
}

// GeneratedSecret returns the path of the file that holds the master secret of an embedded database, to be made where there
// is none; false when the operator supplies the secret.
func (s *Settings) GeneratedSecret() (path string, ok bool) {
	file, embedded := s.Embedded()
	if !embedded || s.Secret != "" || s.SecretFile != "" {
		return "", false
	}
	return filepath.Join(filepath.Dir(file), secretName), true
}
