-- A transaction for each table: one that held several would wait for a transaction that waits for it.
drop function if exists order_items_changed() cascade;
drop function if exists order_items_replicated() cascade;
drop trigger if exists order_items_truncated on order_items;
