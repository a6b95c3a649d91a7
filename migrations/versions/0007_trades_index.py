"""An index along which single trades of one engine are listed without reading the signals that are none.

Written out in full and importing nothing of the service: a migration says what was done on that day.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# No table and no row goes.
DROPPED_ON_DOWNGRADE = ()


def upgrade() -> None:
    op.create_index(
        "signals_trades",
        "signals",
        ["engine_version", "trigger", "mode", "data_mode", "as_of_ms", "id", "direction", "symbol"],
    )


def downgrade() -> None:
    op.drop_index("signals_trades", "signals")
