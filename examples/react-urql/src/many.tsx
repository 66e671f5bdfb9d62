import { useState } from "react";
import { useClient } from "urql";
import { SessionsDocument } from "./gql/graphql.ts";

/** Eight requests at once: where the access token has expired, one refresh serves them all, as the network panel shows. */
export function Many() {
  const client = useClient();
  const [result, setResult] = useState("");

  async function ask() {
    setResult("");
    // Each differs from the others, or they would be answered as one.
    const asked = [1, 2, 3, 4, 5, 6, 7, 8].map((first) =>
      client.query(SessionsDocument, { first }, { requestPolicy: "network-only" }).toPromise(),
    );
    const answers = (await Promise.all(asked)).filter(({ error }) => !error).length;
    setResult(`${answers} answers, ${asked.length - answers} errors`);
  }

  return (
    <section aria-label="Many at once">
      <h3>Many at once</h3>
      <button type="button" onClick={() => void ask()}>
        Ask eight times
      </button>
      <p role="status">{result}</p>
    </section>
  );
}
