package tools_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const (
	composeFile = "docker-compose.yml"
	drain       = 10 * time.Second // how long the server may take to end
)

// secrets are what the operator must supply; the compose file has no default for them.
var secrets = map[string]string{"POSTGRES_PASSWORD": "hunter2/@:%", "SECRET": "c2VjcmV0"}

// compose loads the compose file as docker compose does: against the schema, with the given environment.
func compose(t *testing.T, environment map[string]string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  root,
		ConfigFiles: []types.ConfigFile{{Filename: composeFile, Content: read(t, composeFile)}},
		Environment: maps.Clone(environment), // the loader adds names of its own
	})
}

func TestComposeIsSchemaValid(t *testing.T) {
	if _, err := compose(t, secrets); err != nil {
		t.Fatal(err)
	}
}

func TestComposeDemandsItsSecrets(t *testing.T) {
	for name := range secrets {
		t.Run(name, func(t *testing.T) {
			for _, value := range []string{"unset", ""} {
				environment := maps.Clone(secrets)
				if environment[name] = value; value == "unset" {
					delete(environment, name)
				}
				_, err := compose(t, environment)
				if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "openssl rand") {
					t.Errorf("with %s %q: got error %v, want one that names it and says how to make it", name, value, err)
				}
			}
		})
	}
}

func TestComposeHardensTheServer(t *testing.T) {
	project, err := compose(t, secrets)
	if err != nil {
		t.Fatal(err)
	}
	server, err := project.GetService("gatehouse")
	if err != nil {
		t.Fatal(err)
	}
	if server.Build == nil || server.Build.Context == "" {
		t.Error("gatehouse is not built from the Dockerfile")
	}
	if server.DependsOn["postgres"].Condition != types.ServiceConditionHealthy {
		t.Error("gatehouse does not wait for postgres to be healthy")
	}
	if !server.ReadOnly {
		t.Error("the root filesystem is writable")
	}
	if !slices.Equal(server.CapDrop, []string{"ALL"}) || len(server.CapAdd) > 0 || server.Privileged {
		t.Error("capabilities are left")
	}
	if !slices.Contains(server.SecurityOpt, "no-new-privileges:true") {
		t.Error("privileges can be gained")
	}
	if server.StopGracePeriod == nil || *server.StopGracePeriod <= types.Duration(drain) {
		t.Errorf("the server is killed before it has drained (%v)", drain)
	}
	if issuer := server.Environment["ISSUER"]; issuer == nil || *issuer != "" {
		t.Error("ISSUER has a default here, so that MODE=production would not ask for one")
	}
	for _, port := range server.Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("port %s is published to every network", port.Published)
		}
	}
	for name, value := range secrets {
		for key, given := range server.Environment {
			if key != "PGPASSWORD" && key != "SECRET" && given != nil && strings.Contains(*given, value) {
				t.Errorf("%s is in %s, which is shown as a setting", name, key)
			}
		}
	}
}

// TestComposePassesSettingsOn: what an operator chooses in the environment reaches the server, and nothing in its place else, so
// that the defaults are the server's.
func TestComposePassesSettingsOn(t *testing.T) {
	chosen := map[string]string{
		"ISSUER": "https://auth.example.com", "CORS_ORIGINS": "https://app.example.com,https://admin.example.com",
		"COOKIE_MODE": "true", "TRUSTED_PROXIES": "10.0.0.0/8", "TRUSTED_DOCUMENTS": "/etc/gatehouse/documents",
	}
	for _, environment := range []map[string]string{chosen, {}} {
		complete := maps.Clone(secrets)
		maps.Copy(complete, environment)
		project, err := compose(t, complete)
		if err != nil {
			t.Fatal(err)
		}
		given := project.Services["gatehouse"].Environment.ToMapping()
		for name := range chosen {
			if value, ok := given[name]; !ok || value != environment[name] {
				t.Errorf("%s: the server is given %q, and the environment has %q", name, value, environment[name])
			}
		}
	}
}

func TestComposeKeepsTheDatabase(t *testing.T) {
	project, err := compose(t, secrets)
	if err != nil {
		t.Fatal(err)
	}
	postgres, err := project.GetService("postgres")
	if err != nil {
		t.Fatal(err)
	}
	name, tag, _ := strings.Cut(postgres.Image, ":")
	if major, _, _ := strings.Cut(tag, "-"); name != "postgres" || major != "17" {
		t.Errorf("image %s does not pin PostgreSQL's major version", postgres.Image)
	}
	if postgres.HealthCheck == nil || len(postgres.HealthCheck.Test) == 0 {
		t.Error("postgres has no healthcheck")
	}
	if !slices.ContainsFunc(postgres.Volumes, func(volume types.ServiceVolumeConfig) bool {
		_, named := project.Volumes[volume.Source]
		return volume.Type == types.VolumeTypeVolume && named && volume.Target == "/var/lib/postgresql/data"
	}) {
		t.Error("the data is not on a named volume")
	}
	if len(postgres.Ports) > 0 {
		t.Error("the database is published outside the compose network")
	}
}
