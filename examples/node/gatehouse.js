// Accepts Gatehouse's access tokens (RFC 9068): who is calling, or why the request is refused (RFC 6750).
// It knows no web framework. docs/tokens.md says what each check is for.

import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const realm = 'reports' // what a token opens here, by the name that clients see

const fetching = {
  cacheMaxAge: 300_000, // ms for which fetched keys are used, and so the longest that a revoked key is still believed
  cooldownDuration: 5_000, // ms from one fetch to the next, however many unknown keys are asked for
  timeoutDuration: 5_000, // ms to wait for Gatehouse
}

const accepting = {
  typ: 'at+jwt',
  algorithms: ['ES256', 'RS256', 'EdDSA'], // and a key is used with its own alone (RFC 8725 section 3.1)
  requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub', 'jti', 'sid', 'client_id'],
}

/** Why a request is refused: the status, a sentence for the developer of the client, and the headers. */
export class Refused extends Error {
  constructor(status, detail, headers) {
    super(detail)
    Object.assign(this, { status, headers })
  }
}

// A refusal that another token would mend (RFC 6750 section 3). Where there was no token, there is no error to name.
function challenge(status, detail, error, scope) {
  const parameters = { realm, error, error_description: error && detail, scope }
  const named = Object.entries(parameters).filter(([, value]) => value)
  const header = named.map(([name, value]) => `${name}="${value}"`).join(', ')
  return new Refused(status, detail, { 'WWW-Authenticate': `Bearer ${header}` })
}

/** Refuses a user whose token lacks the scope. */
export function requireScope(user, scope) {
  if (!user.scopes.has(scope)) {
    throw challenge(403, 'The access token lacks a scope.', 'insufficient_scope', scope)
  }
}

/** Returns a function that accepts the tokens which one issuer made for one audience: from a token to its user, or Refused. */
export function verifier({ issuer, audience, jwksUrl }) {
  const keys = publicKeys(jwksUrl || `${issuer}/.well-known/jwks.json`)
  return async function verify(token) {
    if (!token) {
      throw challenge(401, 'An access token is required.')
    }
    try {
      const { payload } = await jwtVerify(token, keys, { ...accepting, issuer, audience })
      return { id: payload.sub, session: payload.sid, scopes: new Set(payload.scope?.split(' ')) }
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        throw challenge(401, 'The access token has expired.', 'invalid_token')
      }
      if (error instanceof errors.JOSEError) {
        throw challenge(401, 'The access token is not valid here.', 'invalid_token')
      }
      throw error
    }
  }
}

// What the key set says of a token. All else that it throws means that there is no key set.
const unknownKey = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported]

// publicKeys finds Gatehouse's keys by kid, and fetches them where it has to.
function publicKeys(url) {
  const remote = createRemoteJWKSet(new URL(url), fetching)
  return async function key(header, token) {
    if (typeof header.kid !== 'string') {
      throw new errors.JWKSNoMatchingKey() // jose would take the only key there is
    }
    try {
      return await remote(header, token)
    } catch (error) {
      if (unknownKey.some((kind) => error instanceof kind)) {
        throw error
      }
      console.warn(`no keys from ${url}: ${error.cause ?? error.message}`)
      throw new Refused(503, "The issuer's keys cannot be had at present.", { 'Retry-After': '5' })
    }
  }
}
