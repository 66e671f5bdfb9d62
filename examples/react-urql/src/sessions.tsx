import { type RequestPolicy, useMutation, useQuery } from "urql";
import { RevokeSessionDocument, SessionsDocument } from "./gql/graphql.ts";

export function Sessions({ requestPolicy }: { requestPolicy: RequestPolicy }) {
  const [{ data }, ask] = useQuery({ query: SessionsDocument, variables: { first: 100 }, requestPolicy });
  const [, revoke] = useMutation(RevokeSessionDocument);
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
              // The list is asked for again: the cache is told that sessions have changed.
              onClick={() => void revoke({ input: { sessionId: id } }, { additionalTypenames: ["Session"] })}
            >
              Revoke
            </button>
          </li>
        ))}
      </ul>
      <button type="button" onClick={() => ask({ requestPolicy: "network-only" })}>
        Show again
      </button>
    </section>
  );
}
