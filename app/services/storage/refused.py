"""One row of a batch that the database will never take."""

from __future__ import annotations


class BatchRefused(Exception):
    """A row breaks a rule of its table (a NaN, a wrong type): writing the same batch again cannot succeed."""
