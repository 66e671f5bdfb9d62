"""Accepts Gatehouse's access tokens (RFC 9068): who is calling, or why the request is refused (RFC 6750).

It knows no web framework, and is the same file in every Python service. docs/tokens.md says what each check is for.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from http.client import HTTPException
from threading import Lock
from time import monotonic
from urllib.request import urlopen

import jwt

REALM = "reports"  # what a token opens here, by the name that clients see
LIFESPAN = 300  # seconds for which fetched keys are used, and so the longest that a revoked key is still believed
PAUSE = 5  # seconds from one fetch to the next, however many unknown keys are asked for
TIMEOUT = 5  # seconds to wait for Gatehouse

TYPES = ("at+jwt", "application/at+jwt")
CLAIMS = ("iss", "aud", "exp", "iat", "sub", "jti", "sid", "client_id")
ALGORITHMS = {"EC": ["ES256"], "RSA": ["RS256"], "OKP": ["EdDSA"]}  # by the type of the key: the token has no say


class Refused(Exception):
    """Why a request is refused: the status, a sentence for the developer of the client, and the headers."""

    def __init__(self, status: int, detail: str, headers: dict[str, str]) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


def challenge(status: int, detail: str, error: str = "", scope: str = "") -> Refused:
    """A refusal that another token would mend (RFC 6750 section 3). Where there was no token, there is no error to name."""
    parameters = {"realm": REALM, "error": error, "error_description": error and detail, "scope": scope}
    named = ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value)
    return Refused(status, detail, {"WWW-Authenticate": f"Bearer {named}"})


@dataclass(frozen=True)
class User:
    """Who is calling, as the token says."""

    id: str
    session: str
    scopes: frozenset[str]

    def require(self, scope: str) -> None:
        """Refuses a user whose token lacks the scope."""
        if scope not in self.scopes:
            raise challenge(403, "The access token lacks a scope.", "insufficient_scope", scope)


class Keys(jwt.PyJWKClient):
    """Gatehouse's public keys. PyJWKClient finds them by kid; a time limit, a pause between fetches, and keeping the keys that
    are there when a fetch fails are added here."""

    def __init__(self, url: str) -> None:
        super().__init__(url, cache_jwk_set=False)
        self._lock = Lock()
        self._keys: jwt.PyJWKSet | None = None
        self._expires = self._next = 0.0  # by the monotonic clock: when the keys are too old, when the next fetch may be
        self._failed = False  # the last fetch

    def get_jwk_set(self, refresh: bool = False) -> jwt.PyJWKSet:
        """Returns the keys; with refresh, newer ones if they may be had, because a token names one that is not among them."""
        if not refresh and monotonic() < self._expires:
            return self._keys
        with self._lock:  # one request fetches, and those that come meanwhile share the outcome
            if monotonic() >= self._next:
                self._fetch()
            if self._failed:
                raise Refused(503, "The issuer's keys cannot be had at present.", {"Retry-After": str(PAUSE)})
            return self._keys

    def _fetch(self) -> None:
        try:
            with urlopen(self.uri, timeout=TIMEOUT) as response:
                self._keys = jwt.PyJWKSet.from_dict(json.load(response))
            self._expires, self._failed = monotonic() + LIFESPAN, False
        except (OSError, HTTPException, ValueError, jwt.PyJWTError) as error:
            logging.getLogger(__name__).warning("no keys from %s: %s", self.uri, error)
            self._failed = True
        self._next = monotonic() + PAUSE


class Verifier:
    """Accepts the tokens that one issuer made for one audience. It may be shared by threads."""

    def __init__(self, issuer: str, audience: str, jwks_url: str = "") -> None:
        self._issuer, self._audience = issuer, audience
        self._keys = Keys(jwks_url or f"{issuer}/.well-known/jwks.json")

    def verify(self, token: str | None) -> User:
        """Returns who the token speaks for, or raises Refused."""
        if not token:
            raise challenge(401, "An access token is required.")
        try:
            claims = self._claims(token)
        except jwt.ExpiredSignatureError:
            raise challenge(401, "The access token has expired.", "invalid_token") from None
        except (jwt.PyJWTError, ValueError, RecursionError):  # the last for a header of a thousand brackets
            raise challenge(401, "The access token is not valid here.", "invalid_token") from None
        return User(claims["sub"], claims["sid"], frozenset(claims.get("scope", "").split()))

    def _claims(self, token: str) -> dict:
        header = jwt.get_unverified_header(token)
        if str(header.get("typ")).lower() not in TYPES:
            raise jwt.InvalidTokenError("not an access token")
        key = self._keys.get_signing_key(header.get("kid"))
        return jwt.decode(
            token,
            key.key,
            algorithms=ALGORITHMS.get(key.key_type),
            issuer=self._issuer,
            audience=self._audience,
            # PyJWT would refuse a new token where this machine's clock is a second behind; what limits a token is exp.
            options={"require": list(CLAIMS), "verify_iat": False},
        )
