import { type RequestPolicy, useMutation, useQuery } from "urql";
import { RevokeSessionDocument, SessionsDocument } from "./gql/graphql.ts";

export function Sessions({ requestPolicy }: { requestPolicy: RequestPolicy }) {
  const [{ data }, ask] = useQuery({ query: SessionsDocument, variables: { first: 100 }, requestPolicy });
  const [{ data: revoked, error, fetching }, revoke] = useMutation(RevokeSessionDocument);
  const problem = error?.networkError ?? error?.graphQLErrors[0] ?? revoked?.revokeSession.userErrors[0];
  return (
    <section aria-label="Sessions">
      <h3>Sessions</h3>
      <ul>
        {data?.me?.sessions?.nodes.map(({ id, device, current, lastSeenAt }) => (
          <li key={id}>
            <span>
              {device} {current && <em>this one</em>}
              <small>
                last seen <time dateTime={lastSeenAt}>{new Date(lastSeenAt).toLocaleString()}</time>
              </small>
            </span>
            <button
              type="button"
              aria-label={`Revoke ${device}`}
              disabled={fetching}
              // The list is asked for again: the cache is told that sessions have changed.
              onClick={() => void revoke({ input: { sessionId: id } }, { additionalTypenames: ["Session"] })}
            >
              Revoke
            </button>
          </li>
        ))}
      </ul>
      {problem && <p role="alert">The session could not be revoked. {problem.message}</p>}
      <button type="button" onClick={() => ask({ requestPolicy: "network-only" })}>
        Show again
      </button>
    </section>
  );
}
