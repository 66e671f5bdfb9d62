import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { RetryLink } from "@apollo/client/link/retry";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode } from "graphql";
import { createClient as createSocket } from "graphql-ws";
import { from, switchMap, tap, throwError } from "rxjs";
import { endpoint, session } from "./session.ts";

/** How the socket for subscriptions is doing. */
export type SocketStatus = "live" | "connecting" | "offline";

/** Makes a client for whoever is signed in, and tells how it fares. Somebody else gets another, with a cache of its own. */
export function createClient(onAnswer: (answered: boolean) => void, onSocket: (status: SocketStatus) => void): ApolloClient {
  const reachability = new ApolloLink((operation, forward) =>
    forward(operation).pipe(tap({ next: () => onAnswer(true), error: () => onAnswer(false) })),
  );
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      ApolloLink.from([again, subscriptions(onSocket)]),
      ApolloLink.from([reachability, refusals, authorization, new HttpLink({ uri: endpoint, fetch: session.fetch })]),
    ),
  });
}

// A token that is refused is renewed once, however many operations it was refused to. Each of them is then sent once more.
const refusals = new ErrorLink(({ error, operation, forward }) => {
  const { token } = operation.getContext();
  const refusal = CombinedGraphQLErrors.is(error) && error.errors.find((e) => e.extensions?.code === "UNAUTHENTICATED");
  if (!token || !refusal) return;
  return from(session.refused(token, refusal.extensions?.reason)).pipe(
    switchMap((next) => (next ? forward(operation) : throwError(() => error))),
  );
});

const authorization = new SetContextLink(async ({ headers }) => {
  const token = await session.accessToken();
  return token ? { token, headers: { ...headers, authorization: `Bearer ${token}` } } : {};
});

// The socket gives up where its token is refused, whatever the session has got instead.
const again = new RetryLink({ delay: { initial: 3000, max: 16_000 }, attempts: { max: Infinity } });

function subscriptions(onSocket: (status: SocketStatus) => void): ApolloLink {
  let unanswered: ReturnType<typeof setTimeout>;
  const socket = createSocket({
    url: endpoint.replace(/^http/, "ws"),
    connectionParams: async () => {
      const token = await session.accessToken();
      return token ? { Authorization: `Bearer ${token}` } : {};
    },
    // A page may be left open for days: it comes back whenever the server does, and waits longer each time that it does not.
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: (retries) => new Promise((done) => setTimeout(done, 1000 * (Math.min(2 ** retries, 16) + 3 * Math.random()))),
    keepAlive: 10_000,
    on: {
      connecting: () => onSocket("connecting"),
      connected: () => onSocket("live"),
      closed: (event) => {
        onSocket("offline");
        clearTimeout(unanswered);
        // Closed for its token. Why, expired or revoked, the session learns by asking.
        if (event instanceof CloseEvent && [4401, 4403].includes(event.code)) session.check().catch(() => undefined);
      },
      ping: (received) => {
        if (!received) unanswered = setTimeout(() => socket.terminate(), 5000);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
    },
  });
  return new GraphQLWsLink(socket);
}
