package fault

// Description is what whoever writes a client has to know of a code.
type Description struct {
	Code      Code
	UserError bool     // it travels in userErrors, as data; else it is the code of a top-level error
	Means     string   // a sentence or two, in Markdown
	Do        string   // what the client does, likewise
	Beside    []string // a top-level error's extensions beside code and requestId, where they apply
	Fields    []string // of a user error: the inputs it can be about; none: it is about none in particular
	Status    []int    // of the answer over application/graphql-response+json, the most frequent first
}

// Table describes every code, in the order of docs/errors.md, which is made from it.
func Table() []Description { return append(topLevel(), userErrors()...) }

func topLevel() []Description {
	return []Description{
		{
			Code:   Unauthenticated,
			Means:  "The operation is for whoever is signed in, and the caller is not. `reason` says why. Nothing was changed.",
			Do:     "Go by `reason`, as the table below says.",
			Beside: []string{"reason", "coordinate"},
			Status: []int{401, 294},
		},
		{
			Code: Forbidden,
			Means: "The caller is signed in and may not do this. Nothing ran. `requiredScopes` says what it would take: any one of the " +
				"outer lists, all of its inner list. Where it is missing, no scope helps. Pages of an origin that is not let in get this " +
				"code, too.",
			Do: "Do not repeat the operation, and do not refresh because of it: say that it is not allowed, or do not offer it: `can` " +
				"tells beforehand.",
			Beside: []string{"requiredScopes", "coordinate"},
			Status: []int{403},
		},
		{
			Code: StepUpRequired,
			Means: "The caller signed in too long ago, or not well enough. `maxAge` is how many seconds ago it may be, `acr` how well " +
				"it has to be: `pwd` by one factor, `mfa` by two. Nothing ran.",
			Do:     "Ask for the password, send `login`, and repeat the operation with the new access token. `refresh` does not help.",
			Beside: []string{"maxAge", "acr", "coordinate"},
			Status: []int{401},
		},
		{
			Code: BadUserInput,
			Means: "The request cannot be answered as it is: a variable or argument does not fit, the operation is not in the " +
				"document, or the HTTP around it is wrong.",
			Do:     "Mend the program: the message says what was expected. A person cannot do anything about it.",
			Status: []int{400, 294, 405, 406, 408, 413, 414, 415},
		},
		{
			Code:   ParseFailed,
			Means:  "The document is not GraphQL.",
			Do:     "Mend the program.",
			Status: []int{400},
		},
		{
			Code: ValidationFailed,
			Means: "The document does not fit the schema, as this caller may see it, or it is over a limit: of tokens, depth, aliases, " +
				"or passwords to check.",
			Do: "Mend the program, and look whether it was built for another schema. Whoever is not signed in may see less of " +
				"the schema than you do.",
			Status: []int{400},
		},
		{
			Code: PersistedQueryNotFound,
			Means: "The document was named by its hash alone, and is not known here: it was not sent yet, or the server has started " +
				"again or forgotten it.",
			Do:     "Send the text and the hash together, once. Clients that know persisted queries do so by themselves.",
			Status: []int{400},
		},
		{
			Code:   PersistedQueryNotInList,
			Means:  "Only the operations on this server's list of trusted documents run, and this is none of them.",
			Do:     "Make the list anew with the client's build, and give it to the server before the client is rolled out.",
			Status: []int{400},
		},
		{
			Code: Unavailable,
			Means: "The server cannot answer just now: the database is out of reach, or too much is asked of it. It says nothing about " +
				"who the caller is, or whether a password is right.",
			Do: "Try again after `retryAfter` seconds, a few times, with growing pauses. Keep the tokens: nobody was signed out. A " +
				"mutation may have been done although its answer was lost.",
			Beside: []string{"retryAfter"},
			Status: []int{503, 294},
		},
		{
			Code: Internal,
			Means: "A fault of the server's. Its cause is in the server's log, under the request id. What else the operation asked for " +
				"may have come, beside this error.",
			Do:     "Show that something went wrong, with `requestId` for whoever looks into it. Do not repeat the operation unasked.",
			Status: []int{500, 294},
		},
	}
}

func userErrors() []Description {
	table := []Description{
		{
			Code:   EmailTaken,
			Means:  "Another account has this address, in whatever capitals or spelling.",
			Do:     "Offer to log in instead.",
			Fields: []string{"email"},
		},
		{
			Code:   UsernameTaken,
			Means:  "Another account has this username, in whatever capitals.",
			Do:     "Ask for another one.",
			Fields: []string{"username"},
		},
		{
			Code:   InvalidEmail,
			Means:  "This is not an address that mail could be sent to.",
			Do:     "Ask for it again, beside the field.",
			Fields: []string{"email"},
		},
		{
			Code:   InvalidUsername,
			Means:  "The username has a length or characters that usernames may not have.",
			Do:     "Ask for another one, with the message, which says what may be in it.",
			Fields: []string{"username"},
		},
		{
			Code:   InvalidName,
			Means:  "The name has a length or characters that names may not have.",
			Do:     "Ask for it again, beside the field.",
			Fields: []string{"name"},
		},
		{
			Code:   PasswordTooShort,
			Means:  "The password has fewer than 8 characters.",
			Do:     "Ask for a longer one.",
			Fields: []string{"password", "newPassword"},
		},
		{
			Code:   PasswordTooLong,
			Means:  "The password has more than 1,024 bytes.",
			Do:     "Ask for a shorter one.",
			Fields: []string{"password", "newPassword"},
		},
		{
			Code: PasswordCompromised,
			Means: "The password is among those that attackers try first: a common one, or one made of the person's own name or " +
				"address.",
			Do:     "Ask for another one, and say why: rules about digits and capitals would not have helped.",
			Fields: []string{"password", "newPassword"},
		},
		{
			Code: InvalidCredentials,
			Means: "No account goes with this name and password, or this is not the account's current password. Unknown accounts, wrong " +
				"passwords and disabled accounts look alike.",
			Do:     "Say so, without guessing which of the two was wrong, and keep the name that was typed.",
			Fields: []string{"", "currentPassword"},
		},
		{
			Code: InvalidRefreshToken,
			Means: "The session cannot be renewed with this token: it has ended, or the token was used before and came back too late, " +
				"or was never one of ours.",
			Do:     "Forget both tokens and ask the person to log in. Do not try again: the answer will not change.",
			Fields: []string{"refreshToken"},
		},
		{
			Code:   NotFound,
			Means:  "The caller has nothing of this id, or no longer.",
			Do:     "Read the list again: it may have ended in the meantime.",
			Fields: []string{"sessionId"},
		},
	}
	for i := range table {
		table[i].UserError, table[i].Status = true, []int{200}
	}
	return table
}

// ReasonDescription is what whoever writes a client has to know of a reason.
type ReasonDescription struct {
	Reason Reason
	Means  string
	Do     string
}

// Reasons describes every reason.
func Reasons() []ReasonDescription {
	return []ReasonDescription{
		{Missing, "No access token was sent.", "Ask the person to log in; or send the token, if there is one."},
		{Expired, "The access token has expired.", "Refresh once, and repeat the operation with the new token."},
		{
			Invalid, "The access token is malformed, forged, or another server's.",
			"Forget it and refresh once; if that fails, ask the person to log in.",
		},
		{
			Revoked, "The session was ended: by logging out, on another device, with a changed password, or by an administrator.",
			"Forget both tokens and ask the person to log in: `refresh` would be refused.",
		},
	}
}
