"""A resource server: an API that lets in whoever has signed in to Gatehouse. With Flask."""

from functools import wraps
from os import environ

from flask import Flask, jsonify, request

from gatehouse import Refused, User, Verifier

app = Flask(__name__)
verifier = Verifier(
    issuer=environ.get("ISSUER", "http://localhost:8080"),
    audience=environ.get("AUDIENCE", "gatehouse"),
    jwks_url=environ.get("JWKS_URL", ""),
)


def token_required(view):
    """Passes the user to the view, before its other arguments. Without a valid access token the view is not called."""

    @wraps(view)
    def decorated(*args, **kwargs):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = verifier.verify(token.strip() if scheme.lower() == "bearer" else None)
        return view(user, *args, **kwargs)

    return decorated


def scope_required(scope):
    """Under token_required: without the scope in the token the view is not called."""

    def decorator(view):
        @wraps(view)
        def decorated(user, *args, **kwargs):
            user.require(scope)
            return view(user, *args, **kwargs)

        return decorated

    return decorator


@app.errorhandler(Refused)
def refuse(refused: Refused):
    return jsonify(detail=refused.detail), refused.status, refused.headers


@app.get("/me")
@token_required
def me(user: User):
    return jsonify(id=user.id, scopes=sorted(user.scopes))


@app.get("/reports")
@token_required
@scope_required("users:read")
def reports(user: User):
    return jsonify(reports=["Accounts opened this month"])
