-- A transaction for each table: one that held several would wait for a transaction that waits for it.
drop function if exists orders_changed() cascade;
drop function if exists orders_replicated() cascade;
drop function if exists live_orders_created() cascade;
drop trigger if exists orders_truncated on orders;
