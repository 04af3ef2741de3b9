-- Idempotency keys belong to the customer whose order they are for, and are kept for 7 days (see idempotency-keys.ts). What is older goes
-- first, so that few rows are left to fill while the table is locked.
delete from idempotency_keys where created_at < now() - interval '7 days';

alter table idempotency_keys drop constraint idempotency_keys_pkey;
-- null only inside a transaction of the version before
alter table idempotency_keys add column user_id bigint;
update idempotency_keys set user_id = orders.user_id from orders where orders.id = idempotency_keys.order_id;
create unique index idempotency_keys_key_user on idempotency_keys (key, user_id);
create index idempotency_keys_created_at on idempotency_keys (created_at);

-- For processes of the version before, which inserts a key without its customer, then sets the order of all rows with that key. To them a key
-- that any customer used is in use, as it was: an order is never made twice.
create function idempotency_key_of_any_customer() returns trigger language plpgsql set search_path from current as $$
begin
  if tg_op = 'UPDATE' then
    new.user_id := (select user_id from orders where id = new.order_id);
    return new;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(new.key, 0));
  if exists (select 1 from idempotency_keys where key = new.key) then return null; end if;
  return new;
end $$;
create trigger idempotency_keys_claimed before insert on idempotency_keys for each row
  when (new.user_id is null) execute function idempotency_key_of_any_customer();
create trigger idempotency_keys_used before update of order_id on idempotency_keys for each row
  when (old.user_id is null) execute function idempotency_key_of_any_customer();

create function idempotency_key_keeps_order() returns trigger language plpgsql as $$
begin
  return null;
end $$;
create trigger idempotency_keys_kept before update of order_id on idempotency_keys for each row
  when (old.order_id is not null) execute function idempotency_key_keeps_order();
