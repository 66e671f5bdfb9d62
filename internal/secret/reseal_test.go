package secret_test

import (
	"bytes"
	"errors"
	"testing"

	"gatehouse/internal/secret"
)

func TestReseal(t *testing.T) {
	t.Parallel()
	const (
		old   = "Qr7cXh0mWl4C1zqkP9vJ3e8sYbT5uNfA6dGiOaRw2Es="
		newer = "7f3a9c15e08b42d6b1c4f7720e93ad58164bfc0d9a27e6538cb0d4f1275ea93b"
	)
	parsed := func(text string) *secret.Master {
		t.Helper()
		m, err := secret.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	plain, additional := []byte("a private key"), []byte("its row")
	sealed, err := parsed(old).Seal("label", plain, additional)
	if err != nil {
		t.Fatal(err)
	}
	for secrets, changes := range map[string]bool{old: false, old + "," + newer: false, newer + "," + old: true} {
		resealed, changed, err := parsed(secrets).Reseal("label", sealed, additional)
		if err != nil || changed != changes || bytes.Equal(resealed, sealed) == changes {
			t.Errorf("changed %t, %v; want %t", changed, err, changes)
		}
		if !changes {
			continue
		}
		if got, err := parsed(newer).Open("label", resealed, additional); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("the new secret alone opens %q, %v", got, err)
		}
		if _, err := parsed(old).Open("label", resealed, additional); !errors.Is(err, secret.ErrOpen) {
			t.Errorf("the old secret opens what was sealed again: %v", err)
		}
	}
	for name, wrong := range map[string]func() ([]byte, bool, error){
		"secret":          func() ([]byte, bool, error) { return parsed(newer).Reseal("label", sealed, additional) },
		"label":           func() ([]byte, bool, error) { return parsed(newer+","+old).Reseal("another", sealed, additional) },
		"additional data": func() ([]byte, bool, error) { return parsed(newer+","+old).Reseal("label", sealed, plain) },
	} {
		if resealed, changed, err := wrong(); !errors.Is(err, secret.ErrOpen) || changed || resealed != nil {
			t.Errorf("with another %s: %q, %t, %v; want ErrOpen", name, resealed, changed, err)
		}
	}
}
