-- A transaction for each table: one that held several would wait for a transaction that waits for it.
drop function if exists users_changed() cascade;
drop function if exists users_replicated() cascade;
drop trigger if exists users_truncated on users;
