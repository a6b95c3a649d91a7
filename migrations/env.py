"""Alembic's entry: runs the revisions on the connection that `app.migrate` hands over.

There is no offline mode and no URL here: who opens the database also owns the transaction, the lock and the
error texts.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
context.run_migrations()
