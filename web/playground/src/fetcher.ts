import type { Fetcher, FetcherParams } from "@graphiql/toolkit";
import { getOperationAST, Kind, parse } from "graphql";
import { type Client, type ClientOptions, createClient } from "graphql-ws";
import type { Answer, Session, Tokens } from "../../session/session.ts";
import { claims } from "./claims.ts";

/** Sends what GraphiQL runs, with the session's token unless the Headers pane has an Authorization of its own. */
export function fetcherFor(session: Session): Fetcher {
  const connectionParams = async () => {
    const token = await session.accessToken();
    return token === null ? {} : { Authorization: `Bearer ${token}` };
  };
  const socket = connect(connectionParams, () => session.check().catch(() => undefined));
  return async (params: FetcherParams, options) => {
    const request = {
      query: params.query,
      operationName: named(params),
      variables: filledIn(session, params.variables),
    };
    const headers = (options?.headers ?? {}) as Record<string, string>;
    const own = Object.entries(headers).find(([name]) => name.toLowerCase() === "authorization")?.[1];
    if (options?.documentAST && getOperationAST(options.documentAST, request.operationName)?.operation === "subscription") {
      return (own === undefined ? socket : connect({ Authorization: own })).iterate(request as never) as never;
    }
    const answer = await (own !== undefined ? session.askAs(request, headers) : session.ask(request, headers)).catch(unanswered);
    adopt(session, answer);
    return answer as never;
  };
}

/** What the result pane shows where there is no answer: GraphiQL would show where in the program that came to light, too. */
function unanswered(error: unknown): Answer {
  return { errors: [{ message: error instanceof Error ? error.message : String(error) }] };
}

/** Makes a client for subscriptions; it connects with the first and for as long as there is one. */
function connect(connectionParams: ClientOptions["connectionParams"], onRefused?: () => void): Client {
  const target = new URL("graphql", document.baseURI);
  target.protocol = target.protocol.replace("http", "ws");
  return createClient({
    url: target.href,
    connectionParams,
    retryAttempts: Infinity,
    shouldRetry: () => true, // also where there is no server for a while, neither for the socket nor to refresh
    retryWait: (retries) => new Promise((done) => setTimeout(done, 1000 * (Math.min(2 ** retries, 16) + 3 * Math.random()))),
    on: {
      // The token has ended, or the session: an ordinary request is told which.
      closed: (event) => {
        if (event instanceof CloseEvent && [4401, 4403].includes(event.code)) onRefused?.();
      },
    },
  });
}

/** The operation's name, unless it is one of the tab before: GraphiQL learns what is in a tab a moment after a change. */
function named({ query, operationName }: FetcherParams): string | undefined {
  try {
    const found = parse(query).definitions.some(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION && definition.name?.value === operationName,
    );
    return found ? (operationName ?? undefined) : undefined;
  } catch {
    return operationName ?? undefined; // the server says what is wrong with the query
  }
}

/** Puts what the session holds in place of {{refreshToken}}, which is null where the browser has it, and {{sessionId}}. */
function filledIn(session: Session, variables: unknown): unknown {
  const { state } = session;
  if (!state.signedIn || !variables) return variables;
  const values: Record<string, string | null> = {
    "{{refreshToken}}": state.refreshToken,
    "{{sessionId}}": String(claims(state.accessToken)?.sid ?? ""),
  };
  const text = JSON.stringify(variables, (_, value: unknown) =>
    typeof value === "string" && Object.hasOwn(values, value) ? values[value] : value,
  );
  return JSON.parse(text) as unknown;
}

/**
 * Keeps the tokens that an operation in the editor returned: it has opened a session, or renewed the one that is held. An access
 * token alone is let be; a refresh token that is null is in a cookie.
 */
function adopt(session: Session, answer: Answer): void {
  for (const payload of Object.values(answer.data ?? {})) {
    const tokens = (payload as { tokens?: Partial<Tokens> | null } | null)?.tokens;
    if (tokens?.accessToken && tokens.expiresIn && tokens.refreshToken !== undefined) session.adopt(tokens as Tokens);
  }
}
