package session

import (
	"strings"

	"github.com/mileusna/useragent"
)

const (
	unknownDevice = "Unknown device"
	maxProgram    = 32 // bytes of a program's name that are still a name
)

// Device says in a few words what opened the session, such as "Firefox on Linux", "curl" or "Unknown device". It is made of
// the user agent, which anybody can forge: it helps people to recognise their own sessions and proves nothing.
func (s *Session) Device() string { return Device(s.UserAgent) }

// Device says the same of the program that sent a user agent.
func Device(userAgent string) string {
	agent := useragent.Parse(userAgent)
	// Where it recognises nothing, the library takes any text for a name; a version beside it makes it a product (RFC 9110
	// section 10.1.5).
	known := agent.Version != "" && isProgram(agent.Name)
	switch {
	case known && agent.OS != "":
		return agent.Name + " on " + agent.OS
	case known:
		return agent.Name
	case agent.OS != "":
		return agent.OS
	default:
		return unknownDevice
	}
}

// isProgram reports whether name may be shown as that of a program: a short one of Latin letters, digits, spaces and dots,
// which cannot pass for a message of ours.
func isProgram(name string) bool {
	const signs = " .-_"
	other := strings.TrimFunc(name, func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(signs, r)
	})
	return name != "" && len(name) <= maxProgram && other == ""
}
