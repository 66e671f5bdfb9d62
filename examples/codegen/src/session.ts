import { ask, RequestError } from "./ask.js";
import { RefreshDocument, type RefreshMutation, type TypedDocumentString } from "./gql/graphql.js";

/** What register, login, refresh and changePassword answer with. */
export type Tokens = NonNullable<RefreshMutation["refresh"]["tokens"]>;

/** A signed-in user's tokens, renewed when it is time, however many requests are under way. */
export class Session {
  #tokens?: Tokens;
  #ends = 0; // when the access token does, by performance.now()
  #refreshing?: Promise<void>;

  constructor(readonly url: string) {}

  get signedIn(): boolean {
    return this.#tokens !== undefined;
  }

  /** Goes on with the tokens. Their age is counted from now, because this machine's clock may be wrong. */
  take(tokens: Tokens): void {
    this.#tokens = tokens;
    this.#ends = performance.now() + tokens.expiresIn * 1000;
  }

  /** Asks as whoever is signed in. */
  async ask<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
    if (this.#tokens && performance.now() > this.#ends - 5000) await this.#refresh(this.#tokens);
    const tokens = this.#tokens;
    try {
      return await ask(this.url, document, variables, { accessToken: tokens?.accessToken });
    } catch (error) {
      if (!tokens || !(error instanceof RequestError)) throw error;
      if (error.reason === "REVOKED") this.#tokens = undefined;
      if (error.reason !== "EXPIRED" && error.reason !== "INVALID") throw error;
      await this.#refresh(tokens);
      // As it is now, and once: what is refused twice is refused.
      return ask(this.url, document, variables, { accessToken: this.#tokens?.accessToken });
    }
  }

  // refresh replaces the tokens, unless somebody has done so since. Whoever comes while it is under way waits for the same answer.
  async #refresh(used: Tokens): Promise<void> {
    if (this.#tokens !== used) return;
    this.#refreshing ??= this.#trade(used).finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  async #trade({ refreshToken }: Tokens): Promise<void> {
    const { refresh } = await ask(this.url, RefreshDocument, { input: { refreshToken } });
    if (refresh.tokens) this.take(refresh.tokens);
    else this.#tokens = undefined; // INVALID_REFRESH_TOKEN: the session has ended
  }
}
