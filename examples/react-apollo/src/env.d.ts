interface ImportMetaEnv {
  /** Where Gatehouse is; http://localhost:8080 if it is not set. */
  readonly VITE_GATEHOUSE_URL?: string;
  /** Who keeps the refresh token: the page ("bearer", the default) or a cookie ("cookie", for a server with COOKIE_MODE=true). */
  readonly VITE_GATEHOUSE_MODE?: "bearer" | "cookie";
}
