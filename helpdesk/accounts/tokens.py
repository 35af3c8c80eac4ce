"""The API's door: bearer tokens with scopes, denied unless a view says otherwise, and repeats that change nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.db import transaction
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request
from rest_framework.response import Response

from helpdesk.accounts.locks import one_at_a_time
from helpdesk.accounts.models import ApiToken, IdempotentCall
from helpdesk.lib.dates import now

if TYPE_CHECKING:  # its settings name this module, so importing it here would be a circle
    from rest_framework.views import APIView

USED_EVERY = timedelta(minutes=1)
MAX_KEY = 200


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer twofold_…`` (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[ApiToken, ApiToken] | None:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = ApiToken.objects.find(text.strip())
        if token is None:
            raise exceptions.AuthenticationFailed("This token is unknown, expired or revoked.")
        if token.last_used_at is None or token.last_used_at < now() - USED_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now())
        return token, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class Denied(permissions.BasePermission):
    """The default: a view that names no permission lets nobody in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return False


def needs(read: str = "", write: str = "") -> type[permissions.BasePermission]:
    """A permission class: ``read`` is the scope for GET and HEAD, ``write`` for everything else."""

    class Needs(permissions.BasePermission):
        def has_permission(self, request: Request, view: APIView) -> bool:
            scope = read if request.method in permissions.SAFE_METHODS else write
            self.message = f"This token lacks the scope {scope}."
            return isinstance(request.auth, ApiToken) and bool(scope) and scope in request.auth.scopes

    return Needs


Handler = Callable[..., Response]


def idempotent(handler: Handler) -> Handler:
    """Honour ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header): the same key gets the first answer again.

    The answer is stored in the transaction of the effect. The same key with another body is a 422; two at once are
    one after the other. Errors are not kept, so a corrected call may use its key again.
    """

    @wraps(handler)
    def once(view: APIView, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return handler(view, request, *args, **kwargs)
        if len(key) > MAX_KEY or "\0" in key:
            raise exceptions.ValidationError({"Idempotency-Key": f"At most {MAX_KEY} characters."})
        body = json.dumps([request.method, request.path, request.data], sort_keys=True, default=str)
        digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
        token: Any = request.auth
        with transaction.atomic():
            one_at_a_time(f"call:{token.pk}:{key}")
            known = IdempotentCall.objects.filter(token=token, key=key).values_list("digest", "status", "body").first()
            if known:
                first, status, answer = known
                if first != digest:
                    raise KeyReused
                return Response(answer, status=status, headers={"Idempotent-Replayed": "true"})
            response = handler(view, request, *args, **kwargs)
            if response.status_code < 400:
                kept = json.loads(json.dumps(response.data, default=str))
                IdempotentCall.objects.create(token=token, key=key, digest=digest, status=response.status_code, body=kept)
            return response

    return once


class KeyReused(exceptions.APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for another request."
