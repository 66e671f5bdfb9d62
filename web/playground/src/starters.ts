// The tabs of a first visit: a session from its beginning to its end. In variables, {{refreshToken}} and {{sessionId}} stand for
// what the Account panel holds at the time.
const credentials = { email: "joan@example.com", password: "nine tulips by the canal" };

const variables = (input: unknown) => JSON.stringify({ input }, null, 2);

type Starter = { query: string; variables?: string };

export const starters = [
  {
    query: `# 1. Register. The answer has tokens; the Account panel keeps them.
# Every request from now on is sent with the access token.
# EMAIL_TAKEN? You have been here before: log in with these variables in the Account panel.
mutation Register($input: RegisterInput!) {
  register(input: $input) {
    user { id email }
    tokens { accessToken expiresIn refreshToken refreshExpiresAt }
    userErrors { code message field }
  }
}
`,
    variables: variables({ ...credentials, name: "Joan" }),
  },
  {
    query: `# 2. Ask who you are.
# Log out in the Account panel and ask again: the error's extensions say UNAUTHENTICATED, and why.
query Me {
  me {
    id
    email
    roles
    scopes
    sessions {
      nodes { id device lastSeenAt current }
    }
  }
}
`,
  },
  {
    query: `# 3. Refresh: trade the refresh token for the next one.
# {{refreshToken}} in the variables is the one that the Account panel holds.
mutation Refresh($input: RefreshInput!) {
  refresh(input: $input) {
    tokens { accessToken expiresIn refreshToken refreshExpiresAt }
    userErrors { code message }
  }
}
`,
    variables: variables({ refreshToken: "{{refreshToken}}" }),
  },
  {
    query: `# 4. Revoke: end a session, here your own. {{sessionId}} is its id.
# Ask tab 2 again then: the token ended with its session.
mutation Revoke($input: RevokeSessionInput!) {
  revokeSession(input: $input) {
    revokedSessionId
    userErrors { code message }
  }
}
`,
    variables: variables({ sessionId: "{{sessionId}}" }),
  },
] satisfies [Starter, ...Starter[]];
