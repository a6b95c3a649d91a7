"""What the HTTP layer tells the audit log: who was let in or not, and what was changed.

Owns how a caller is named there. Called by the edge and the live socket (wrong keys), the session routes
(logins), the coin routes (changes), and, as the innermost middleware, for every request that needed a scope.
"""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from app.api.auth import ADMIN_USED, SCOPE_REFUSED, Caller, address_of
from app.api.deps import AuditUseCase
from app.api.options import ApiOptions
from app.core.domain.access import AuditAction, AuditOutcome
from app.services.audit_trail import Occurrence

STRANGER = "stranger"
# Scraped every few seconds by a machine: that it was read says nothing. That it was refused does.
_UNTOLD_READS = frozenset({"/metrics"})
_READING = frozenset({"GET", "HEAD"})


class AuditDoor:
    """Turns requests into occurrences."""

    def __init__(self, options: ApiOptions, audit: AuditUseCase) -> None:
        self._options = options
        self._audit = audit

    def wrong_key(self, scope: AsgiScope) -> None:
        """Somebody showed a key or token that is none of ours. Neither it nor the path is written down: both
        are what a stranger chose, and would make of one attack as many rows as they like."""
        self._note(scope, STRANGER, AuditAction.KEY_REFUSED, AuditOutcome.REFUSED, "")

    def login(self, request: Request, caller: Caller | None) -> None:
        """None: refused."""
        outcome = AuditOutcome.REFUSED if caller is None else AuditOutcome.DONE
        self._note(request.scope, self._actor(caller), AuditAction.LOGIN, outcome, "")

    def change(self, request: Request, action: AuditAction, target: str) -> None:
        """Something was changed."""
        actor = self._actor(request.scope["caller"])
        self._note(request.scope, actor, action, AuditOutcome.DONE, target)

    def answered(self, scope: AsgiScope) -> None:
        """A request is over: was it one of an admin, or one whose key may not?"""
        refused, used = scope.get(SCOPE_REFUSED), scope.get(ADMIN_USED)
        if refused is None and used is None:
            return
        route, actor = getattr(scope.get("route"), "path", ""), self._actor(scope["caller"])
        if refused is not None:
            target = f"{scope['method']} {route} ({refused})"
            self._note(scope, actor, AuditAction.SCOPE_REFUSED, AuditOutcome.REFUSED, target)
        elif scope["method"] in _READING and route not in _UNTOLD_READS:
            self._note(scope, actor, AuditAction.ADMIN_READ, AuditOutcome.DONE, route)

    def _note(
        self, scope: AsgiScope, actor: str, action: AuditAction, outcome: AuditOutcome, target: str
    ) -> None:
        address = address_of(scope, self._options)
        request_id = scope.get("request_id")
        if actor == STRANGER and _gave_id(scope):
            request_id = None  # up to 64 characters of their choice have no place in the log
        self._audit.note(Occurrence(actor, action, outcome, target, request_id, address))

    def _actor(self, caller: Caller | None) -> str:
        """`key:NAME`, `session:NAME`, `stranger`; `anyone` where nobody has to say who they are."""
        if caller is None or caller.name is None:
            return STRANGER if self._options.auth_required else "anyone"
        return f"{caller.identity.partition(':')[0]}:{caller.name}"


def _gave_id(scope: AsgiScope) -> bool:
    return any(name == b"x-request-id" for name, _ in scope["headers"])


class Audited:
    """ASGI middleware around the routes: tells the door when a request is over."""

    def __init__(self, app: ASGIApp, *, door: AuditDoor) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if scope["type"] == "http":
            self._door.answered(scope)
