-- Runs once, in the new and empty database. `app.store migrate` makes the tables, as hypertables with this.
CREATE EXTENSION IF NOT EXISTS timescaledb;
