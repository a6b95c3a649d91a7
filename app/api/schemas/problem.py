"""The one error shape of every route: RFC 9457 problem details plus a stable code and the request id."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import ApiModel, Name, Near

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Problem(ApiModel):
    """An error. `code` is stable and meant for programs, `detail` for people."""

    type: str = Field(max_length=100, description="URN of the kind of error; one per `code`.")
    title: str = Field(max_length=60, description="The HTTP status in words.")
    status: int = Field(ge=400, le=599, description="HTTP status code of this answer.")
    detail: str = Field(max_length=600, description="What was wrong with this request, in words.")
    instance: str = Field(max_length=200, description="Path of the request, percent-encoded.")
    code: str = Field(max_length=40, description="Stable error code, such as unknown_symbol.")
    request_id: str = Field(max_length=64, description="The X-Request-ID of this request.")
    near: list[Near] = Field(
        max_length=5, description="Known symbols that look like the unknown one; empty for other errors."
    )
    plan_needed: Name | None = Field(
        description="Cheapest CoinGlass plan that has what was asked for; null when no plan is the reason."
    )
