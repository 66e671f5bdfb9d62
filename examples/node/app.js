// A resource server: an API that lets in whoever has signed in to Gatehouse. With node:http and jose.

import { createServer } from 'node:http'

import { Refused, requireScope, verifier } from './gatehouse.js'

const { ISSUER = 'http://localhost:8080', AUDIENCE = 'gatehouse', JWKS_URL, HOST = '127.0.0.1', PORT = '3000' } = process.env
const verify = verifier({ issuer: ISSUER, audience: AUDIENCE, jwksUrl: JWKS_URL })

const routes = {
  'GET /me': (user) => ({ id: user.id, scopes: [...user.scopes].sort() }),
  'GET /reports': (user) => {
    requireScope(user, 'users:read')
    return { reports: ['Accounts opened this month'] }
  },
}

async function answer(request) {
  const route = routes[`${request.method} ${request.url.split('?')[0]}`]
  if (!route) {
    throw new Refused(404, 'There is nothing here.', {})
  }
  const [, token] = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '') ?? []
  return route(await verify(token))
}

const server = createServer(async (request, response) => {
  response.setHeader('Content-Type', 'application/json')
  try {
    response.end(JSON.stringify(await answer(request)))
  } catch (error) {
    if (!(error instanceof Refused)) {
      console.error(error)
    }
    const { status, message, headers } = error instanceof Refused ? error : new Refused(500, 'Internal error.', {})
    response.writeHead(status, headers).end(JSON.stringify({ detail: message }))
  }
})

server.listen(Number(PORT), HOST, () => console.log(`listening on http://${HOST}:${server.address().port}`))
process.once('SIGTERM', () => server.close())
