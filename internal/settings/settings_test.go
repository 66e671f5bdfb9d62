package settings_test

import (
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/origin"
	"gatehouse/internal/settings"
)

var update = flag.Bool("update", false, "write the settings table into README.md")

const (
	secret  = "SECRET=k8Qz0m3H5Xb1vN7cR2tY9wE4uI6oP8aSdFgHjKlZxCv="
	key     = "JWT_SECRET=k8Qz0m3H5Xb1vN7cR2tY9wE4uI6oP8aSdFgHjKlZxCv="
	elegant = "DATABASE_URL=postgres://gatehouse:hunter2@db/gatehouse"
)

// parse fills settings from arguments: NAME=value is an environment variable, everything else a flag.
func parse(t *testing.T, args ...string) (*settings.Settings, error) {
	t.Helper()
	environment := make(map[string]string)
	var flags []string
	for _, arg := range args {
		if name, value, ok := strings.Cut(arg, "="); ok && !strings.HasPrefix(arg, "-") {
			environment[name] = value
		} else {
			flags = append(flags, arg)
		}
	}
	s := new(settings.Settings)
	parser, err := kong.New(s, settings.Options(func(variable string) (string, bool) {
		value, ok := environment[variable]
		return value, ok
	})...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(flags)
	return s, err
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Settings{
		Listener:       settings.Listener{Addr: "127.0.0.1:8080"},
		Database:       settings.Database{DatabaseURL: "sqlite://gatehouse.db"},
		Mode:           settings.Development,
		Issuer:         "http://localhost:8080",
		Audience:       "gatehouse",
		SigningAlg:     "ES256",
		AccessTokenTTL: 10 * time.Minute,
		KeyRotation:    2160 * time.Hour,
		Publishing:     settings.Publishing{KeyPublishLead: 10 * time.Minute},
		RefreshIdleTTL: 336 * time.Hour, RefreshAbsoluteTTL: 720 * time.Hour, RefreshGrace: 30 * time.Second,
		SessionRetention: 24 * time.Hour, AuditRetention: 8760 * time.Hour,
		MaxSockets: 5000, MaxSocketsPerAccount: 100, MaxSocketsPerAddress: 500,
		Log:     settings.Log{LogFormat: "auto", LogLevel: "info"},
		Migrate: true,
	}
	unexported := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".rows" }, cmp.Ignore())
	if diff := cmp.Diff(want, *got, unexported); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if err := got.Check(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

func TestEveryFlagIsNamedAfterItsVariable(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(new(settings.Settings))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, flag := range parser.Model.Flags {
		if flag.Name == "help" {
			continue
		}
		found++
		if want := strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_")); len(flag.Envs) != 1 || flag.Envs[0] != want {
			t.Errorf("--%s is set by %v, want %s", flag.Name, flag.Envs, want)
		}
	}
	if found < 10 {
		t.Errorf("found %d settings", found)
	}
}

func TestSources(t *testing.T) {
	t.Setenv("AUDIENCE", "from-the-process") // not from lookup, so not for us
	s, err := parse(t, "ISSUER=https://env.example", "--issuer=https://flag.example", "ADDR=:1", "LOG_LEVEL=",
		"TRUSTED_PROXIES=10.1.2.3/8, 192.0.2.7,2001:db8::/32", "--migrate=false", "ACCESS_TOKEN_TTL=1h30m",
		"CORS_ORIGINS=https://App.example.com, http://localhost:5173", "--cookie-mode")
	if err != nil {
		t.Fatal(err)
	}
	if s.Issuer != "https://flag.example" || s.Addr != ":1" || s.LogLevel != "info" || s.Migrate || s.Audience != "gatehouse" {
		t.Errorf("got %+v", s)
	}
	proxies := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"),
	}
	if diff := cmp.Diff(proxies, s.TrustedProxies, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	pages := []origin.Origin{"https://app.example.com", "http://localhost:5173"}
	if diff := cmp.Diff(pages, s.CORSOrigins); diff != "" || !s.CookieMode {
		t.Errorf("cookie mode %t, origins: %s", s.CookieMode, diff)
	}
	want := map[string]settings.Row{
		"CORS_ORIGINS": {
			Name: "CORS_ORIGINS", Value: "https://app.example.com,http://localhost:5173", Origin: settings.FromEnvironment,
		},
		"COOKIE_MODE":      {Name: "COOKIE_MODE", Value: "true", Origin: settings.FromFlag},
		"ISSUER":           {Name: "ISSUER", Value: "https://flag.example", Origin: settings.FromFlag},
		"ADDR":             {Name: "ADDR", Value: ":1", Origin: settings.FromEnvironment},
		"LOG_LEVEL":        {Name: "LOG_LEVEL", Value: "info", Origin: settings.FromDefault},
		"MIGRATE":          {Name: "MIGRATE", Value: "false", Origin: settings.FromFlag},
		"ACCESS_TOKEN_TTL": {Name: "ACCESS_TOKEN_TTL", Value: "1h30m0s", Origin: settings.FromEnvironment},
		"TRUSTED_PROXIES": {
			Name: "TRUSTED_PROXIES", Value: "10.0.0.0/8,192.0.2.7/32,2001:db8::/32", Origin: settings.FromEnvironment,
		},
	}
	for _, row := range s.InForce() {
		if w, ok := want[row.Name]; ok && row != w {
			t.Errorf("got %+v, want %+v", row, w)
		}
		delete(want, row.Name)
	}
	if len(want) > 0 {
		t.Errorf("not in force: %v", want)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	for _, database := range []string{
		"postgres://gatehouse:hunter2@db/gatehouse",
		"postgres://db/gatehouse?user=gatehouse&password=hunter2",
		"postgres://db/gatehouse?sslPassword=hunter2",
		"postgres://gatehouse:hunter2%zz@db/gatehouse",
		"postgres://gatehouse:p@x/hunter2@db/gatehouse",
		"host=db password=hunter2",
		"mysql:hunter2",
		"hunter2",
	} {
		s, err := parse(t, "--database-url="+database, "--secret=hunter2", "JWT_SECRET=hunter2")
		if err != nil {
			t.Fatal(err)
		}
		masked := 0
		for _, row := range s.InForce() {
			if strings.Contains(row.Value, "hunter2") {
				t.Errorf("%s shows %q", row.Name, row.Value)
			}
			if strings.Contains(row.Value, settings.Masked) {
				masked++
			}
		}
		if masked != 3 {
			t.Errorf("%s: %d settings are masked, want 3", database, masked)
		}
		if err := s.Check(); err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the refusal quotes the password: %v", err)
		}
	}
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{elegant, secret},
		{elegant, "SECRET_FILE=/run/secrets/gatehouse"},
		{"DATABASE_URL=sqlite:///var/lib/gatehouse.db"},
		{"MODE=production", "ISSUER=https://auth.example.com"},
		{"MODE=production", "ISSUER=http://localhost:8080"},
		{"MODE=production", "ISSUER=http://[::1]:8080"},
		{"SIGNING_ALG=HS256", key},
		{"SIGNING_ALG=EdDSA"},
		{"ACCESS_TOKEN_TTL=1s"},
		{"ACCESS_TOKEN_TTL=24h"},
		{"KEY_ROTATION=0s"},
		{"KEY_ROTATION=1h"},
		{"KEY_PUBLISH_LEAD=0s"},
		{"KEY_PUBLISH_LEAD=24h"},
		{"MODE=production", "ISSUER=https://auth.example.com", "KEY_PUBLISH_LEAD=6m"},
		{"REFRESH_IDLE_TTL=10m"},
		{"REFRESH_IDLE_TTL=720h"},
		{"REFRESH_ABSOLUTE_TTL=8760h"},
		{"REFRESH_GRACE=0s"},
		{"REFRESH_GRACE=5m"},
		{"SESSION_RETENTION=0s"},
		{"SESSION_RETENTION=8760h"},
		{"AUDIT_RETENTION=0s"},
		{"AUDIT_RETENTION=24h"},
		{"AUDIT_RETENTION=87600h"},
		{"MAX_SOCKETS=1"},
		{"MAX_SOCKETS=1000000", "MAX_SOCKETS_PER_ACCOUNT=1000000", "MAX_SOCKETS_PER_ADDRESS=1"},
		{"CORS_ORIGINS=http://localhost:5173,https://app.example.com,http://app.example.com"},
		{
			"MODE=production", "ISSUER=https://auth.example.com",
			"CORS_ORIGINS=https://app.example.com,http://[::1]:3000,capacitor://localhost",
		},
		{"COOKIE_MODE=true"},
		{"COOKIE_MODE=true", "ISSUER=https://auth.example.com"},
		{"ADDR=:0"},
		{"ADDR=[::1]:8080"},
	} {
		s, err := parse(t, args...)
		if err != nil {
			t.Errorf("%v: %v", args, err)
			continue
		}
		if err := s.Check(); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string // in the message
	}{
		{[]string{elegant}, "set SECRET to the output of"},
		{[]string{secret, "SECRET_FILE=f"}, "SECRET and SECRET_FILE are both set"},
		{[]string{"SIGNING_ALG=HS256"}, "set JWT_SECRET"},
		{[]string{key}, "JWT_SECRET is for HS256 alone"},
		{[]string{"SIGNING_ALG=none"}, "--signing-alg must be one of"},
		{[]string{"MODE=prod"}, "--mode must be one of"},
		{[]string{"MODE=production"}, "set ISSUER"},
		{[]string{"MODE=production", "ISSUER=http://auth.example.com"}, "must begin with https://"},
		{[]string{"MODE=production", "ISSUER=http://localhost.example.com"}, "must begin with https://"},
		{[]string{"ISSUER=auth.example.com"}, "must be a whole URL"},
		{[]string{"ISSUER=ftp://auth.example.com"}, "must be a whole URL"},
		{[]string{"ISSUER=https://"}, "must be a whole URL"},
		{[]string{"ISSUER=https://user:pw@auth.example.com"}, "must be a plain URL"},
		{[]string{"ISSUER=https://auth.example.com/?a=b"}, "must be a plain URL"},
		{[]string{"ISSUER=https://auth.example.com/#"}, "must be a plain URL"},
		{[]string{"AUDIENCE=two words"}, "AUDIENCE must be one word"},
		{[]string{"ACCESS_TOKEN_TTL=0s"}, "ACCESS_TOKEN_TTL must be"},
		{[]string{"ACCESS_TOKEN_TTL=1500ms"}, "ACCESS_TOKEN_TTL must be"},
		{[]string{"ACCESS_TOKEN_TTL=25h"}, "ACCESS_TOKEN_TTL must be"},
		{[]string{"REFRESH_IDLE_TTL=9m59s"}, "REFRESH_IDLE_TTL must not be below"},
		{[]string{"REFRESH_IDLE_TTL=721h"}, "REFRESH_ABSOLUTE_TTL must be"},
		{[]string{"REFRESH_ABSOLUTE_TTL=8761h"}, "REFRESH_ABSOLUTE_TTL must be"},
		{[]string{"REFRESH_GRACE=-1s"}, "REFRESH_GRACE must be"},
		{[]string{"REFRESH_GRACE=5m1s"}, "REFRESH_GRACE must be"},
		{[]string{"SESSION_RETENTION=-1s"}, "SESSION_RETENTION must be"},
		{[]string{"SESSION_RETENTION=8761h"}, "SESSION_RETENTION must be"},
		{[]string{"AUDIT_RETENTION=-1s"}, "AUDIT_RETENTION must be"},
		{[]string{"AUDIT_RETENTION=23h"}, "AUDIT_RETENTION must be"},
		{[]string{"MAX_SOCKETS=0"}, "MAX_SOCKETS must be"},
		{[]string{"MAX_SOCKETS_PER_ACCOUNT=-1"}, "MAX_SOCKETS_PER_ACCOUNT must be"},
		{[]string{"MAX_SOCKETS_PER_ADDRESS=1000001"}, "MAX_SOCKETS_PER_ADDRESS must be"},
		{[]string{"KEY_ROTATION=-1h"}, "KEY_ROTATION must be"},
		{[]string{"KEY_ROTATION=59m"}, "KEY_ROTATION must be"},
		{[]string{"KEY_ROTATION=2h", "KEY_PUBLISH_LEAD=3h"}, "KEY_ROTATION must be"},
		{[]string{"KEY_PUBLISH_LEAD=-1s"}, "KEY_PUBLISH_LEAD must be"},
		{[]string{"KEY_PUBLISH_LEAD=25h"}, "KEY_PUBLISH_LEAD must be"},
		{[]string{"MODE=production", "ISSUER=http://localhost", "KEY_PUBLISH_LEAD=5m59s"}, "KEY_PUBLISH_LEAD must be at least 6m"},
		{[]string{"ACCESS_TOKEN_TTL=ten"}, "write a duration such as 10m"},
		{[]string{"TRUSTED_PROXIES=10.0.0.0/33"}, "write networks such as 10.0.0.0/8"},
		{[]string{"TRUSTED_PROXIES=proxy.example.com"}, "write networks such as 10.0.0.0/8"},
		{[]string{"TRUSTED_PROXIES=::ffff:10.0.0.0/104"}, "write networks such as 10.0.0.0/8"},
		{[]string{"CORS_ORIGINS=*"}, "no * stands for many"},
		{[]string{"CORS_ORIGINS=https://app.example.com,https://*.example.com"}, "no * stands for many"},
		{[]string{"CORS_ORIGINS=https://app.example.com/"}, "before the first slash"},
		{[]string{"CORS_ORIGINS=app.example.com"}, "write origins separated by commas"},
		{[]string{"CORS_ORIGINS=null"}, "write origins separated by commas"},
		{
			[]string{"MODE=production", "ISSUER=https://auth.example.com", "CORS_ORIGINS=http://app.example.com"},
			"CORS_ORIGINS must not begin with http://",
		},
		{[]string{"COOKIE_MODE=true", "ISSUER=http://192.0.2.7:8080"}, "COOKIE_MODE needs an ISSUER"},
		{[]string{"COOKIE_MODE=perhaps"}, "--cookie-mode"},
		{[]string{"DATABASE_URL=mysql://db/x"}, "DATABASE_URL must start with"},
		{[]string{"DATABASE_URL=gatehouse.db"}, "DATABASE_URL must start with"},
		{[]string{"ADDR=8080"}, "ADDR must be a host and a port"},
		{[]string{"ADDR=localhost:http"}, "ADDR must be a host and a port"},
		{[]string{"ADDR=localhost:65536"}, "ADDR must be a host and a port"},
		{[]string{"LOG_FORMAT=xml"}, "--log-format must be one of"},
		{[]string{"MIGRATE=perhaps"}, "--migrate"},
		{[]string{"--no-such-setting"}, "unknown flag"},
	} {
		s, err := parse(t, c.args...)
		if err == nil {
			err = s.Check()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.args, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: more than one line: %v", c.args, err)
		}
	}
}

func TestGeneratedSecret(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string // empty: none is generated
	}{
		{nil, "gatehouse.secret"},
		{[]string{"DATABASE_URL=sqlite:///var/lib/gatehouse/my.db"}, "/var/lib/gatehouse/gatehouse.secret"},
		{[]string{secret}, ""},
		{[]string{"SECRET_FILE=f"}, ""},
		{[]string{elegant}, ""},
	} {
		s, err := parse(t, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		if path, ok := s.GeneratedSecret(); path != c.want || ok != (c.want != "") {
			t.Errorf("%v: got %q, %v, want %q", c.args, path, ok, c.want)
		}
	}
}

// The README's table stands between these lines.
const (
	tableBegins = "<!-- settings: generated by go test ./internal/settings -update -->\n"
	tableEnds   = "<!-- /settings -->\n"
)

func TestREADMETable(t *testing.T) {
	t.Parallel()
	const path = "../../README.md"
	table, err := settings.Table()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	got, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no lines %q and %q", path, tableBegins, tableEnds)
	}
	want := "\n" + table + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the settings table is out of date (-want +got), run: go test ./internal/settings -update\n%s", diff)
	}
}
