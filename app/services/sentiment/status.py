"""The status of a provider from its client, and the words for one without a key."""

from __future__ import annotations

from app.core.domain.status import ProviderState, ProviderStatus
from app.services.transport.http import UpstreamClient


def status_of(client: UpstreamClient) -> ProviderStatus:
    return ProviderStatus(
        provider=client.provider,
        state=ProviderState(client.state()),
        last_success_ms=client.health.last_success_ms,
        last_error=client.health.last_error,
        breaker=client.breaker.state,
        plan=None,
        quota_left=client.quota.left(),
        quota_limit=client.quota.limit(),
    )


def not_configured(provider: str) -> ProviderStatus:
    return ProviderStatus(provider, ProviderState.NOT_CONFIGURED, None, None, "closed", None, None, None)
