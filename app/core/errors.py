"""The error tree of the whole service, with what each error means for the caller.

Adapters raise these; the context gatherer is the one place that turns provider errors into
`Missing(reason)`; the API renders what reaches it as problem+json. Texts never carry keys, tokens or
URLs with a query.

    ServiceError
    |- ConfigurationError            refuse to start
    |- InputError
    |  |- UnknownSymbol              404, names near matches
    |  |- UnknownEndpoint            404, of a provider's catalogue
    |  |- NotWatched                404, not in the service's list of coins
    |  |- WatchlistFull             409, the list takes no further coin
    |  |- PlanTooLow                 400, names the plan that would do
    |  `- InvalidParameter           400
    |- NoPriceAvailable              503, no provider has a usable price
    |- ProviderError                 one upstream call failed
    |  |- ProviderTimeout            retryable
    |  |- ProviderUnavailable        retryable (refused, DNS, TLS, 5xx, truncated answer)
    |  |- ProviderRateLimited        retryable after `retry_after_s`
    |  |- ProviderCircuitOpen        not asked: the breaker is open
    |  |- ProviderAuthFailed         key refused: stop asking
    |  |- ProviderPlanLimited        the plan lacks the endpoint: stop asking, shown as a state
    |  |- ProviderNotConfigured      no key set: a state, not a fault
    |  |- ProviderBadPayload         answered, but not what the contract says
    |  `- ProviderNoData             answered, valid and empty
    |- StorageUnavailable            503, retryable: the database is starting, full, or does not answer
    |  `- StorageRefused            503: opened and not usable; the text says what to do
    |- BusUnavailable                503, retryable: Redis cannot be asked; nothing is known of the last word
    |- DeliveryError                 a message did not arrive (or nobody knows)
    |  |- DeliveryRateLimited        later, after `retry_after_s`
    |  |- DeliveryUnavailable        not delivered, retryable (refused, 5xx)
    |  |- DeliveryUncertain          sent, no answer: it may have arrived
    |  |- DeliveryRejected           refused for good (bad text, no such chat)
    |  |- DeliveryForbidden          the chat does not want to hear from us: disable it
    |  |- DeliveryMoved              the chat has a new id
    |  `- DeliveryAuthFailed         bad token: nothing can be sent
    `- InvariantViolation            a bug: 500, loud
"""

from __future__ import annotations

from typing import ClassVar


class ServiceError(Exception):
    """Base of every error this service raises on purpose."""

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class ConfigurationError(ServiceError):
    """A setting makes no sense; the process must not start."""

    code = "configuration_error"


class InvariantViolation(ServiceError):
    """Something that cannot happen happened: a bug in this service."""

    code = "invariant_violation"


class InputError(ServiceError):
    """The caller sent something this service cannot answer."""

    code = "invalid_parameter"
    http_status = 400


class InvalidParameter(InputError):
    """A parameter is malformed or out of range."""

    def __init__(self, parameter: str, expected: str) -> None:
        super().__init__(f"parameter {parameter!r}: {expected}")
        self.parameter = parameter
        self.expected = expected


class UnknownEndpoint(InputError):
    """An endpoint id that the provider's catalogue does not have; `near` holds at most five look-alikes."""

    code = "unknown_endpoint"
    http_status = 404

    def __init__(self, endpoint: str, near: tuple[str, ...] = ()) -> None:
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"the catalogue has no endpoint {endpoint!r}{hint}")


class PlanTooLow(InputError):
    """The plan of the provider's key lacks what was asked for; `needed` is the cheapest that has it."""

    code = "plan_too_low"

    def __init__(self, what: str, plan: str, needed: str | None) -> None:
        cure = f"; it is in the plan {needed} and above" if needed else ""
        super().__init__(f"{what} is not in the plan of this key ({plan}){cure}")
        self.needed = needed


class UnknownSymbol(InputError):
    """A well-formed symbol that no provider lists; `near` holds at most five look-alikes."""

    code = "unknown_symbol"
    http_status = 404

    def __init__(self, symbol: str, near: tuple[str, ...] = ()) -> None:
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"no provider lists the symbol {symbol!r}{hint}")
        self.symbol = symbol
        self.near = near


class NotWatched(InputError):
    """A coin that is not in the service's watchlist, so nothing of it can be switched or removed."""

    code = "not_watched"
    http_status = 404

    def __init__(self, symbol: str) -> None:
        super().__init__(f"{symbol} is not in the watchlist; GET /api/coins shows what is")
        self.symbol = symbol


class WatchlistFull(InputError):
    """The watchlist takes no further coin."""

    code = "watchlist_full"
    http_status = 409

    def __init__(self, limit: int) -> None:
        super().__init__(f"the watchlist has {limit} coins, which is all it takes; remove one first")


class NoPriceAvailable(ServiceError):
    """No provider has a usable price, so there is no signal; `reasons` says who failed and why."""

    code = "no_price"
    http_status = 503
    retryable = True

    def __init__(self, symbol: str, reasons: tuple[str, ...]) -> None:
        super().__init__(
            f"no provider has a price for {symbol}: {'; '.join(reasons) or 'no source configured'}"
        )
        self.symbol = symbol
        self.reasons = reasons


class StorageUnavailable(ServiceError):
    """The database could not be asked. Answers that need no memory go on without it."""

    code = "storage_unavailable"
    http_status = 503
    retryable = True
    retry_after_s = 5


class StorageRefused(StorageUnavailable):
    """The database was opened and must not be used: wrong schema, or made for another data mode.

    Trying again changes nothing; the text says what would.
    """

    code = "storage_refused"
    retryable = False


class BusUnavailable(ServiceError):
    """The bus between the processes (Redis) could not be asked; a write may or may not have been made."""

    code = "bus_unavailable"
    http_status = 503
    retryable = True


class ProviderError(ServiceError):
    """One upstream call failed. `provider` and `endpoint` are our names, never URLs."""

    code = "unavailable"
    http_status = 503

    def __init__(
        self, provider: str, endpoint: str, detail: str, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{provider} {endpoint}: {detail}")
        self.provider = provider
        self.endpoint = endpoint
        self.detail = detail
        self.retry_after_s = retry_after_s


class ProviderTimeout(ProviderError):
    """No complete answer before the deadline."""

    code = "timeout"
    retryable = True


class ProviderUnavailable(ProviderError):
    """Could not connect, 5xx, or an answer cut short."""

    code = "unavailable"
    retryable = True


class ProviderRateLimited(ProviderError):
    """Over quota, by the provider's word or by our own budget; wait `retry_after_s`."""

    code = "rate_limited"
    retryable = True


class ProviderCircuitOpen(ProviderError):
    """Not asked: recent calls failed and the breaker is open."""

    code = "circuit_open"


class ProviderAuthFailed(ProviderError):
    """The key was refused. Asking again cannot succeed."""

    code = "auth_failed"


class ProviderPlanLimited(ProviderError):
    """The plan of this key does not include the endpoint or interval. A state, not a fault."""

    code = "not_in_plan"


class ProviderNotConfigured(ProviderError):
    """No key is set for this provider. A state, not a fault."""

    code = "not_configured"


class ProviderBadPayload(ProviderError):
    """The answer does not have the contracted shape, or a number is not usable."""

    code = "bad_payload"


class ProviderNoData(ProviderError):
    """A valid answer without rows: the provider has nothing for this symbol or window."""

    code = "no_data"


class DeliveryError(ServiceError):
    """A message did not reach its destination. Texts never carry tokens or URLs."""

    code = "delivery_failed"

    def __init__(self, chat: str, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{chat}: {detail}")
        self.chat = chat
        self.detail = detail
        self.retry_after_s = retry_after_s


class DeliveryRateLimited(DeliveryError):
    """Too many messages; nothing of this kind before `retry_after_s` are over."""

    code = "delivery_rate_limited"
    retryable = True


class DeliveryUnavailable(DeliveryError):
    """It certainly was not delivered: refused connection, or the server said that it failed."""

    code = "delivery_unavailable"
    retryable = True


class DeliveryUncertain(DeliveryError):
    """It was sent and no answer came: it may have been delivered."""

    code = "delivery_uncertain"
    retryable = True


class DeliveryRejected(DeliveryError):
    """Refused for good; sending it again cannot succeed."""

    code = "delivery_rejected"


class DeliveryForbidden(DeliveryError):
    """The destination does not take our messages any more."""

    code = "delivery_forbidden"


class DeliveryMoved(DeliveryError):
    """The destination has another id now."""

    code = "delivery_moved"

    def __init__(self, chat: str, new_chat: str) -> None:
        super().__init__(chat, "has another id now")
        self.new_chat = new_chat


class DeliveryAuthFailed(DeliveryError):
    """The credentials of the whole sender were refused: stop and say so."""

    code = "delivery_auth_failed"
