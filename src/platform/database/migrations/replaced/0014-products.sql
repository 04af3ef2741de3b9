-- A transaction for each table: one that held several would wait for a transaction that waits for it.
drop function if exists products_changed() cascade;
drop function if exists products_replicated() cascade;
drop function if exists live_products_changed() cascade;
drop trigger if exists products_truncated on products;
