-- Changes that the triggers on statements do not see: replicated rows, rows written to a table that inherits, and what DDL does to rows.
-- For what is left there is cache_invalidate().

-- What the cache keeps, and whose rows it is made of
create table cache_namespaces (
  name text primary key,
  -- What its keys in the outbox are
  holds text not null check (holds in ('entries', 'lists')),
  tables text[] not null
);
insert into cache_namespaces (name, holds, tables) values
  ('users', 'entries', '{users}'),
  ('products', 'entries', '{products}'),
  ('orders', 'entries', '{orders,order_items}'),
  ('user-orders', 'lists', '{orders}'),
  ('product-lists', 'lists', '{products}'),
  ('stats', 'lists', '{users,products,orders}');

-- Tells the cache of a change that it cannot know of: all of a namespace, or one entry ('product_7') or list ('category:Books') of it.
create function cache_invalidate(namespace text, key text default null) returns void
  language plpgsql security definer set search_path from current as $$
declare
  known cache_namespaces;
begin
  select * into known from cache_namespaces where name = cache_invalidate.namespace;
  if not found then
    raise exception 'There is no namespace "%"', namespace using
      errcode = 'invalid_parameter_value',
      hint = 'There are ' || (select string_agg(name, ', ' order by name) from cache_namespaces) || '.';
  end if;
  insert into cache_outbox (namespace, entry, list)
    values (known.name, case known.holds when 'entries' then key end, case known.holds when 'lists' then key end);
  if known.name = 'products' then
    perform live_changes_write('product', case when key is not null then array[substring(key from '^product_(\d+)$')::bigint] end, null)
    where key is null or key ~ '^product_\d+$';
  end if;
end $$;

-- Logical replication fires no triggers on statements when it applies changes, and those on rows only where they are made for it. They fire
-- in sessions with session_replication_role = replica, too.

create function users_replicated() returns trigger language plpgsql security definer set search_path from current as $$
begin
  perform outbox_write('users', array(select distinct 'user_' || id from unnest(array[old.id, new.id]) id where id is not null), '{}');
  if tg_op <> 'UPDATE' then perform outbox_write('stats', '{}', '{totals}'); end if;
  return null;
end $$;

create function products_replicated() returns trigger language plpgsql security definer set search_path from current as $$
declare
  changed bigint[] := array(select distinct id from unnest(array[old.id, new.id]) id where id is not null);
begin
  perform outbox_write('products', array(select 'product_' || id from unnest(changed) id), '{}');
  if tg_op <> 'UPDATE' then perform outbox_write('stats', '{}', '{totals}'); end if;
  if old.category is distinct from new.category or old.id is distinct from new.id then
    perform outbox_write('product-lists', '{}', array(
      select 'category:' || category from unnest(array[old.category, new.category]) category where category is not null
      union select 'all' where old.id is distinct from new.id));
  end if;
  if old is distinct from new then perform live_changes_write('product', changed, null); end if;
  return null;
end $$;

create function orders_replicated() returns trigger language plpgsql security definer set search_path from current as $$
begin
  perform outbox_write('orders', array(select distinct 'order_' || id from unnest(array[old.id, new.id]) id where id is not null), '{}');
  perform outbox_write('user-orders', '{}', array(
    select distinct 'user_' || user_id from unnest(array[old.user_id, new.user_id]) user_id where user_id is not null));
  perform outbox_write('stats', '{}', '{totals}');
  if tg_op = 'INSERT' then perform live_changes_write('order', array[new.id], array[new.user_id]); end if;
  return null;
end $$;

create function order_items_replicated() returns trigger language plpgsql security definer set search_path from current as $$
begin
  perform outbox_write('orders', array(
    select distinct 'order_' || order_id from unnest(array[old.order_id, new.order_id]) order_id where order_id is not null), '{}');
  return null;
end $$;

-- One of the tables that the cache is made of, by its name; null where there is none. A temporary table of that name is not it.
create function shop_table(name text) returns regclass language sql stable set search_path from current as $$
  select to_regclass(format('%I.%I', current_schema(), name))
$$;

-- That table, those that inherit from it and its partitions
create function shop_tables(name text) returns setof regclass language sql stable set search_path from current as $$
  with recursive tables as (
    select shop_table(name) as id where shop_table(name) is not null
    union
    select i.inhrelid::regclass from pg_inherits i join tables t on i.inhparent = t.id
  )
  select id from tables
$$;

-- Creates the triggers that one of the shop's tables lacks: a new one, or one that was swapped in by name, inherits, or was attached as a
-- partition. They call name_changed() and name_replicated().
create function watch_shop_table(name text) returns void language plpgsql security definer set search_path from current as $$
declare
  watched regclass;
  missing text;
  definition text;
  namespaces text := (select string_agg(quote_literal(n.name), ', ') from cache_namespaces n where watch_shop_table.name = any(n.tables));
begin
  for watched, missing, definition in
    select t.id, w.trigger, w.definition
    from shop_tables(name) t(id)
    join pg_class c on c.oid = t.id and c.relkind in ('r', 'p'),
    lateral (values
      (name || '_inserted', 'create trigger %I after insert on %s referencing new table as changed_rows
        for each statement execute function ' || name || '_changed()'),
      (name || '_deleted', 'create trigger %I after delete on %s referencing old table as changed_rows
        for each statement execute function ' || name || '_changed()'),
      (name || '_updated', 'create trigger %I after update on %s referencing old table as before_rows new table as after_rows
        for each statement execute function ' || name || '_changed()'),
      (name || '_truncated', 'create trigger %I after truncate on %s for each statement
        execute function shop_truncated(' || namespaces || ');
        alter table %2$s enable always trigger %1$I'),
      (name || '_replicated', 'create trigger %I after insert or update or delete on %s for each row
        execute function ' || name || '_replicated();
        alter table %2$s enable replica trigger %1$I'),
      (case name when 'products' then 'products_inserted_live' end, 'create trigger %I after insert on %s referencing new table as changed_rows
        for each statement execute function live_products_changed()'),
      (case name when 'products' then 'products_deleted_live' end, 'create trigger %I after delete on %s referencing old table as changed_rows
        for each statement execute function live_products_changed()'),
      (case name when 'products' then 'products_updated_live' end, 'create trigger %I after update on %s
        referencing old table as before_rows new table as after_rows for each statement execute function live_products_changed()'),
      (case name when 'products' then 'products_truncated_live' end, 'create trigger %I after truncate on %s
        for each statement execute function live_products_changed()'),
      (case name when 'orders' then 'orders_inserted_live' end, 'create trigger %I after insert on %s
        referencing new table as changed_rows for each statement execute function live_orders_created()')
    ) w(trigger, definition)
    where w.trigger is not null and not exists (select 1 from pg_trigger where tgrelid = t.id and tgname = w.trigger)
  loop
    -- A partition may have got it with the table that it is a part of.
    continue when exists (select 1 from pg_trigger where tgrelid = watched and tgname = missing);
    execute format(definition, missing, watched);
  end loop;
exception when insufficient_privilege then
  raise warning 'The cache does not see what changes in %: make % its owner, then select watch_shop_table(%)',
    watched, current_user, quote_literal(name);
end $$;

-- DDL names no rows: the namespaces that are made of these tables are wrong now.
create function shop_tables_changed(names text[]) returns void language plpgsql security definer set search_path from current as $$
begin
  insert into cache_outbox (namespace) select name from cache_namespaces where tables && names;
  if 'products' = any(names) then perform live_changes_write('product', null, null); end if;
end $$;

-- For an event trigger: a table that is one of the shop's now, or was, since it has such triggers, is given to the cache anew.
create function shop_ddl() returns event_trigger language plpgsql security definer set search_path from current as $$
declare
  commanded oid[];
  concerned text[];
begin
  -- What removes the shop altogether must not fail.
  if to_regclass('cache_namespaces') is null or to_regclass('cache_outbox') is null then return; end if;
  commanded := array(select objid from pg_event_trigger_ddl_commands() where classid = 'pg_class'::regclass);
  concerned := array(
    select distinct watched from cache_namespaces, unnest(tables) watched
    where exists (select 1 from shop_tables(watched) t(id) where t.id = any(commanded))
      or exists (
        select 1 from pg_trigger
        where tgrelid = any(commanded) and tgname = watched || '_updated' and tgfoid = to_regproc(watched || '_changed')));
  if concerned = '{}' then return; end if;
  perform watch_shop_table(watched) from unnest(concerned) watched;
  perform shop_tables_changed(concerned);
end $$;

-- The same for tables that go: with them their triggers do.
create function shop_dropped() returns event_trigger language plpgsql security definer set search_path from current as $$
declare
  concerned text[];
begin
  if to_regclass('cache_namespaces') is null or to_regclass('cache_outbox') is null then return; end if;
  concerned := array(
    select distinct watched from cache_namespaces, unnest(tables) watched, pg_event_trigger_dropped_objects() dropped
    where dropped.object_type = 'trigger'
      and dropped.address_names[3] = any(array[watched || '_inserted', watched || '_updated', watched || '_deleted']));
  if concerned <> '{}' then perform shop_tables_changed(concerned); end if;
end $$;

select watch_shop_table(name) from unnest(array['users', 'products', 'orders', 'order_items']) name;
do $$
declare
  watched text;
begin
  foreach watched in array array['users', 'products', 'orders', 'order_items'] loop
    execute format('alter table %1$I enable always trigger %1$s_truncated', watched);
  end loop;
end $$;
alter table products enable always trigger products_truncated_live;
alter table cache_outbox enable always trigger cache_outbox_notify;
