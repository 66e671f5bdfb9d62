"""A resource server: an API that lets in whoever has signed in to Gatehouse. With FastAPI."""

from os import environ
from typing import Optional

from fastapi import Depends, FastAPI, Request, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from gatehouse import Refused, User, Verifier

app = FastAPI()
bearer = HTTPBearer(auto_error=False)  # by itself it answers 403 where there is no token
verifier = Verifier(
    issuer=environ.get("ISSUER", "http://localhost:8080"),
    audience=environ.get("AUDIENCE", "gatehouse"),
    jwks_url=environ.get("JWKS_URL", ""),
)


def get_current_user(
    required: SecurityScopes, credentials: Optional[HTTPAuthorizationCredentials] = Depends(bearer)
) -> User:
    """Returns who is calling, with all the scopes that the route asks for. Not async: it may have to wait for keys, and FastAPI
    waits for it in a thread."""
    user = verifier.verify(credentials.credentials if credentials else None)
    for scope in required.scopes:
        user.require(scope)
    return user


@app.exception_handler(Refused)
async def refuse(_: Request, refused: Refused) -> JSONResponse:
    return JSONResponse({"detail": refused.detail}, refused.status, refused.headers)


@app.get("/me")
def me(user: User = Depends(get_current_user)):
    return {"id": user.id, "scopes": sorted(user.scopes)}


@app.get("/reports")
def reports(user: User = Security(get_current_user, scopes=["users:read"])):
    return {"reports": ["Accounts opened this month"]}
