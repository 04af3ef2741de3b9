-- Every committed change leaves, in its own transaction, the cache entries that it makes wrong, whoever made it.
-- entry set: that entry; list set: every page of that list; neither: the whole namespace.
create table cache_outbox (
  id bigint generated always as identity primary key,
  transaction_id xid8 not null default pg_current_xact_id(),
  namespace text not null,
  entry text,
  list text,
  -- A mutation of this API invalidates by itself right after its commit and asks the relay to wait that long.
  due_at timestamptz not null
    default clock_timestamp() + coalesce(nullif(current_setting('shop.relay_delay', true), ''), '0')::interval,
  check (entry is null or list is null)
);
create index cache_outbox_transaction on cache_outbox (transaction_id);

-- Functions run as their owner, in the schema of this migration: whoever may change the shop need not have rights on the outbox.
-- Over 500 ids in one statement the whole namespace is invalidated: that is O(1), and the outbox stays small.
create function outbox_write(namespace text, entries text[], lists text[]) returns void language plpgsql security definer set search_path from current as $$
begin
  if cardinality(entries) > 500 or cardinality(lists) > 500 then
    insert into cache_outbox (namespace) values (outbox_write.namespace);
  else
    insert into cache_outbox (namespace, entry, list)
      select outbox_write.namespace, changed_entry, null from unnest(entries) changed_entry
      union all
      select outbox_write.namespace, null, changed_list from unnest(lists) changed_list;
  end if;
end $$;

-- Wakes the relays once per transaction (Postgres folds equal notifications).
create function outbox_notify() returns trigger language plpgsql security definer set search_path from current as $$
begin
  perform pg_notify('cache_outbox', '');
  return null;
end $$;
create trigger cache_outbox_notify after insert on cache_outbox for each statement execute function outbox_notify();

-- In the functions below `changed_rows`, or for an update `before_rows` and `after_rows`, are the rows of the statement.
-- Where an update changes an id or an owner, the old one is wrong as well.

create function users_changed() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if tg_op = 'UPDATE' then
    perform outbox_write('users', array(
      select 'user_' || id from after_rows union select 'user_' || id from before_rows limit 501), '{}');
  elsif exists (select 1 from changed_rows) then
    perform outbox_write('users', array(select 'user_' || id from changed_rows limit 501), '{}');
    perform outbox_write('stats', '{totals}', '{}');
  end if;
  return null;
end $$;

create function products_changed() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if tg_op = 'UPDATE' then
    perform outbox_write('products', array(
      select 'product_' || id from after_rows union select 'product_' || id from before_rows limit 501), '{}');
    -- A product that moved changes the membership of both categories; a changed id changes every list.
    perform outbox_write('product-lists', '{}', array(
      select distinct list from after_rows a full join before_rows b using (id),
        unnest(array['category:' || a.category, 'category:' || b.category,
          case when a.category is null or b.category is null then 'all' end]) list
      where a.category is distinct from b.category and list is not null limit 501));
  elsif exists (select 1 from changed_rows) then
    perform outbox_write('products', array(select 'product_' || id from changed_rows limit 501), '{}');
    perform outbox_write('product-lists', '{}', array(
      (select distinct 'category:' || category from changed_rows limit 501)
      union all select 'all'));
    perform outbox_write('stats', '{totals}', '{}');
  end if;
  return null;
end $$;

create function orders_changed() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if tg_op = 'UPDATE' then
    perform outbox_write('orders', array(
      select 'order_' || id from after_rows union select 'order_' || id from before_rows limit 501), '{}');
    perform outbox_write('user-orders', '{}', array(
      select 'user_' || user_id from after_rows union select 'user_' || user_id from before_rows limit 501));
    if exists (select 1 from after_rows) then perform outbox_write('stats', '{totals}', '{}'); end if;
  elsif exists (select 1 from changed_rows) then
    perform outbox_write('orders', array(select 'order_' || id from changed_rows limit 501), '{}');
    perform outbox_write('user-orders', '{}', array(select distinct 'user_' || user_id from changed_rows limit 501));
    perform outbox_write('stats', '{totals}', '{}');
  end if;
  return null;
end $$;

create function order_items_changed() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if tg_op = 'UPDATE' then
    perform outbox_write('orders', array(
      select 'order_' || order_id from after_rows union select 'order_' || order_id from before_rows limit 501), '{}');
  else
    perform outbox_write('orders', array(select distinct 'order_' || order_id from changed_rows limit 501), '{}');
  end if;
  return null;
end $$;

-- TRUNCATE names no rows: whole namespaces are wrong, those that the trigger names.
create function shop_truncated() returns trigger language plpgsql security definer set search_path from current as $$
begin
  insert into cache_outbox (namespace) select unnest(tg_argv);
  return null;
end $$;

do $$
declare
  watched text;
begin
  foreach watched in array array['users', 'products', 'orders', 'order_items'] loop
    execute format('create trigger %1$s_inserted after insert on %1$s
      referencing new table as changed_rows for each statement execute function %1$s_changed()', watched);
    execute format('create trigger %1$s_deleted after delete on %1$s
      referencing old table as changed_rows for each statement execute function %1$s_changed()', watched);
    execute format('create trigger %1$s_updated after update on %1$s
      referencing old table as before_rows new table as after_rows for each statement execute function %1$s_changed()', watched);
    execute format('create trigger %1$s_truncated after truncate on %1$s
      for each statement
      execute function shop_truncated(users, products, orders, ''user-orders'', ''product-lists'', stats)', watched);
  end loop;
end $$;
