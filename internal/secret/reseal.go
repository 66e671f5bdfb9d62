package secret

import "fmt"

// Reseal returns what Seal would make of the bytes that are sealed, so that older secrets need not be kept for them. It returns
// sealed as it is when the first secret opens it already, and ErrOpen when none does.
func (m *Master) Reseal(label string, sealed, additional []byte) (resealed []byte, changed bool, err error) {
	first := &Master{secrets: m.secrets[:1]}
	if _, err := first.Open(label, sealed, additional); err == nil {
		return sealed, false, nil
	}
	plain, err := m.Open(label, sealed, additional)
	if err != nil {
		return nil, false, err
	}
	resealed, err = m.Seal(label, plain, additional)
	if err != nil {
		return nil, false, fmt.Errorf("secret: reseal: %w", err)
	}
	return resealed, true, nil
}
