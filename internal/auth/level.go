package auth

// Level is how well a caller proved who they are. It is a closed list in rising order: a higher level includes the lower.
type Level uint8

// The levels. Their names are the values of the acr argument of @auth and of acr_values in a challenge (RFC 9470 section 3).
const (
	LevelNone     Level = iota // by nothing that counts
	LevelPassword              // "pwd": by one factor, such as a password
	LevelMulti                 // "mfa": by factors of two kinds
)

// String returns the level's name, empty for LevelNone.
func (l Level) String() string {
	switch l {
	case LevelPassword:
		return "pwd"
	case LevelMulti:
		return "mfa"
	default:
		return ""
	}
}

// Levels returns the levels that can be asked for, lowest first.
func Levels() []Level { return []Level{LevelPassword, LevelMulti} }

// ParseLevel returns the level with the given name, and false where there is none.
func ParseLevel(name string) (Level, bool) {
	for _, l := range Levels() {
		if l.String() == name {
			return l, true
		}
	}
	return LevelNone, false
}

// Level returns the level that follows from how the caller proved who they are (RFC 8176 section 2). Two methods of one kind,
// such as a password and a PIN, are still one factor. A method that tells of no factor, such as a location, counts for nothing.
func (c *Caller) Level() Level {
	const knowledge, possession, inherence = 1, 2, 4
	factors := 0
	for _, method := range c.AMR {
		switch method {
		case "mfa":
			return LevelMulti
		case "pwd", "pin", "kba":
			factors |= knowledge
		case "otp", "hwk", "swk", "sms", "tel", "sc":
			factors |= possession
		case "face", "fpt", "iris", "retina", "vbm":
			factors |= inherence
		}
	}
	switch factors {
	case 0:
		return LevelNone
	case knowledge, possession, inherence:
		return LevelPassword
	default:
		return LevelMulti
	}
}
