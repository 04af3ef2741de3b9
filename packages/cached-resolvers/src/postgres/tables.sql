-- The database objects of the cache: the outbox of committed changes, the registered stores to which the relays deliver the changes, the
-- table of live changes that subscriptions read, and functions that track tables. This script is idempotent, also on a database with
-- objects of earlier versions.

-- The outbox: what committed changes invalidate. Triggers insert the rows in the transaction of the change, regardless of the program that
-- makes it. A row invalidates one entry if `entry` is set, every page of one list if `list` is set, and otherwise the whole namespace.
create table if not exists cache_outbox (
  id bigint generated always as identity primary key,
  transaction_id xid8 not null default pg_current_xact_id(),
  namespace text not null,
  entry text,
  list text,
  due_at timestamptz not null,
  check (entry is null or list is null)
);
alter table cache_outbox
  -- Relays deliver the row after this delay. A process sets a delay if it delivers the rows of its transaction itself after the commit.
  alter column due_at set default clock_timestamp() + coalesce(
    nullif(current_setting('cache.relay_delay', true), ''),
    -- The setting of an earlier version, whose processes may still run
    nullif(current_setting('shop.relay_delay', true), ''),
    '0')::interval,
  add column if not exists written_at timestamptz not null default clock_timestamp(),
  -- Registrations of the stores that have confirmed the row
  add column if not exists delivered_to bigint[] not null default '{}',
  -- The store for which a process is delivering the row, and until when other processes of this store skip the row
  add column if not exists claimed_by bigint,
  add column if not exists claimed_until timestamptz;
create index if not exists cache_outbox_transaction on cache_outbox (transaction_id);

-- The registered cache stores: cache servers, or the memory of single processes. A row of the outbox is kept until each store that was
-- registered before the commit of the row has confirmed the row, or is no longer registered.
create sequence if not exists cache_store_registrations;
create table if not exists cache_stores (
  -- Key prefix and server identity. The identity, and with it the name, changes when the server restarts or fails over.
  name text primary key,
  -- Each registration gets a new number. A process empties the store before the store is used under a new registration.
  registration bigint not null default nextval('cache_store_registrations'),
  -- A version of the program with other namespaces has its own registration.
  namespaces text[] not null,
  registered_at timestamptz not null default clock_timestamp(),
  -- When a process last reported that it trusts the store; null if none ever did
  in_use_at timestamptz
);

-- The changes that are published to subscribers. Triggers insert the rows in the transaction of the change. Unlike the outbox, every
-- process reads all rows of this table; they are deleted some minutes after their commit.
create table if not exists live_changes (
  transaction_id xid8 not null default pg_current_xact_id(),
  kind text not null,
  -- Ids of the rows that were updated, inserted or deleted, or that were created for an owner; null if there are too many
  ids bigint[],
  -- Ids of the owners, in the order of `ids`; null unless the rows were created for owners
  owners bigint[]
);
-- With the id, a process can read the changes of one transaction in several parts.
alter table live_changes add column if not exists id bigint not null generated always as identity;
create index if not exists live_changes_order on live_changes (transaction_id, id);
drop index if exists live_changes_transaction;

-- Invalidation rules: what changed rows of a table invalidate in a namespace. tracking.ts derives them from the declared entities.
create table if not exists cache_rules (
  namespace text not null,
  -- Version of the declaration. The rules of the previous version are kept for processes of that version, during a deployment or after a
  -- rollback.
  version int not null,
  table_name text not null,
  rule jsonb not null,
  -- Whether the triggers exist, and entries cached before their creation have been invalidated
  is_followed boolean not null default false
);

-- The functions run with the privileges of their owner and in the schema of the cache, so that users who change a tracked table need no
-- privileges on the outbox.

-- Returns the registered stores of a namespace that have not confirmed a change.
create or replace function cache_stores_owed(namespace text, delivered_to bigint[]) returns table (registration bigint, in_use_at timestamptz)
  language sql stable as $$
  select s.registration, s.in_use_at from cache_stores s
  where cache_stores_owed.namespace = any(s.namespaces) and s.registration <> all(cache_stores_owed.delivered_to)
$$;

-- Waits until every process serves all changes committed before this call, regardless of the program that made them: until all stores in
-- use (reported in use within the last 2 seconds) have confirmed the changes. Returns false on timeout. Scripts and services that change
-- tables by SQL can call it after the commit.
create or replace function cache_wait(timeout interval default '5 seconds') returns boolean
  language plpgsql security definer set search_path from current as $$
declare
  snapshot pg_snapshot := pg_current_snapshot();
  gives_up_at timestamptz := clock_timestamp() + timeout;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'cache_wait() works in transactions of isolation level "read committed" only'
      using hint = 'Commit, and call it outside of a transaction: select cache_wait()';
  end if;
  if exists (select 1 from cache_outbox where transaction_id = pg_current_xact_id_if_assigned()) then
    raise exception 'cache_wait() cannot wait for changes that are not committed'
      using hint = 'Commit first, and then: select cache_wait()';
  end if;
  loop
    if not exists (
      select 1 from cache_outbox o, cache_stores_owed(o.namespace, o.delivered_to) s
      where pg_visible_in_snapshot(o.transaction_id, snapshot) and s.in_use_at > clock_timestamp() - interval '2 seconds'
    ) then
      return true;
    end if;
    if clock_timestamp() >= gives_up_at then return false; end if;
    perform pg_sleep(0.005);
  end loop;
end $$;

-- Notifies the relays at the commit, once per transaction: Postgres merges identical notifications.
create or replace function outbox_notify() returns trigger language plpgsql security definer set search_path from current as $$
begin
  perform pg_notify('cache_outbox', '');
  return null;
end $$;
do $$
begin
  if not exists (select 1 from pg_trigger where tgrelid = 'cache_outbox'::regclass and tgname = 'cache_outbox_notify') then
    create trigger cache_outbox_notify after insert on cache_outbox for each statement execute function outbox_notify();
  end if;
  alter table cache_outbox enable always trigger cache_outbox_notify;
end $$;

-- Adds `more` to the number of changes of this kind that the transaction has recorded, and returns the sum. The sum is stored in a setting
-- local to the transaction, so a rollback to a savepoint restores the setting together with the rows. The setting contains the transaction
-- id, so that a value set by the session is ignored.
create or replace function noted_in_transaction(kind text, more bigint) returns bigint language plpgsql as $$
declare
  setting text := 'cache.noted_' || md5(kind);
  transaction text := pg_current_xact_id()::text;
  noted text[] := string_to_array(current_setting(setting, true), ' ');
  total bigint := more + case when noted[1] = transaction then noted[2]::bigint else 0 end;
begin
  perform set_config(setting, transaction || ' ' || total, true);
  return total;
end $$;

-- Writes changes of a namespace to the outbox. If one transaction makes more than 500 changes, writes one row that invalidates the whole
-- namespace instead of further rows: such an invalidation is O(1), and the outbox stays small.
create or replace function outbox_write(namespace text, entries text[], lists text[]) returns void
  language plpgsql security definer set search_path from current as $$
declare
  more bigint := cardinality(entries) + cardinality(lists);
  noted bigint;
begin
  if more = 0 then return; end if;
  noted := noted_in_transaction(outbox_write.namespace, more);
  if noted <= 500 then
    insert into cache_outbox (namespace, entry, list)
      select outbox_write.namespace, changed_entry, null from unnest(entries) changed_entry
      union all
      select outbox_write.namespace, null, changed_list from unnest(lists) changed_list;
  elsif noted - more <= 500 then
    insert into cache_outbox (namespace) values (outbox_write.namespace);
  end if;
end $$;

-- Writes a row to the outbox that invalidates the whole namespace, at most one per transaction.
create or replace function outbox_write_all(namespace text) returns void
  language plpgsql security definer set search_path from current as $$
begin
  if noted_in_transaction('all of ' || outbox_write_all.namespace, 1) = 1 then
    insert into cache_outbox (namespace) values (outbox_write_all.namespace);
  end if;
end $$;

-- Writes changes for subscribers to live_changes. If one transaction changes more than 1,000 rows, or creates more than 10,000 rows for
-- owners, writes one row with `ids` null instead of further ids.
create or replace function live_changes_write(kind text, ids bigint[], owners bigint[]) returns void
  language plpgsql security definer set search_path from current as $$
declare
  most bigint := case when live_changes_write.owners is null then 1000 else 10000 end;
  more bigint := coalesce(cardinality(live_changes_write.ids), most + 1);
  noted bigint := noted_in_transaction('live_' || live_changes_write.kind, more);
begin
  if noted <= most then
    insert into live_changes (kind, ids, owners) values (live_changes_write.kind, live_changes_write.ids, live_changes_write.owners);
  elsif noted - more <= most then
    insert into live_changes (kind) values (live_changes_write.kind);
  else
    return;
  end if;
  perform pg_notify('live_changes', '');
end $$;

-- Invalidates a whole namespace, or one of its entries ('product_7') or lists ('category:Books'), after a change that the triggers cannot
-- see. To be called manually. Pages with ranges do not depend on the name of their list, so in a namespace of such lists, this function
-- invalidates all lists instead of one.
create or replace function cache_invalidate(namespace text, key text default null) returns void
  language plpgsql security definer set search_path from current as $$
declare
  holds_lists boolean;
  holds_ranges boolean;
  live record;
begin
  if not exists (select 1 from cache_rules r where r.namespace = cache_invalidate.namespace) then
    raise exception 'There is no namespace "%"', namespace using
      errcode = 'invalid_parameter_value',
      hint = 'There are ' || (select string_agg(distinct r.namespace, ', ') from cache_rules r) || '.';
  end if;
  holds_lists := exists (select 1 from cache_rules r where r.namespace = cache_invalidate.namespace and r.rule ? 'lists');
  holds_ranges := exists (select 1 from cache_rules r where r.namespace = cache_invalidate.namespace and r.rule -> 'lists' ? 'ranges');
  insert into cache_outbox (namespace, entry, list)
    values (cache_invalidate.namespace, case when not holds_lists then key end, case when holds_lists and not holds_ranges then key end);
  for live in
    select r.rule -> 'live' ->> 'kind' as kind from cache_rules r
    where r.namespace = cache_invalidate.namespace and r.rule ? 'live' and not r.rule -> 'live' ? 'owner'
  loop
    perform live_changes_write(live.kind,
      case when key is not null then array[substring(key from '^' || live.kind || '_(\d+)$')::bigint] end, null)
    where key is null or key ~ ('^' || live.kind || '_\d+$');
  end loop;
end $$;

-- Returns the tracked table of this name; null if it does not exist. Ignores temporary tables.
create or replace function cache_table(name text) returns regclass language sql stable set search_path from current as $$
  select to_regclass(format('%I.%I', current_schema(), name))
$$;

-- Returns the type of a column of a tracked table; null if the column does not exist.
create or replace function cache_column(table_name text, column_name text) returns regtype language sql stable set search_path from current as $$
  select atttypid::regtype from pg_attribute
  where attrelid = cache_table(table_name) and attname = column_name and attnum > 0 and not attisdropped
$$;

-- Returns the table, its partitions, and the tables that inherit from it.
create or replace function cache_tables(name text) returns setof regclass language sql stable set search_path from current as $$
  with recursive tables as (
    select cache_table(name) as id where cache_table(name) is not null
    union
    select i.inhrelid::regclass from pg_inherits i join tables t on i.inhparent = t.id
  )
  select id from tables
$$;

-- Invalidates all namespaces that depend on these tables, because it is unknown which rows changed.
create or replace function cache_tables_changed(names text[]) returns void language plpgsql security definer set search_path from current as $$
begin
  insert into cache_outbox (namespace) select distinct namespace from cache_rules where table_name = any(names);
  perform live_changes_write(kind, null, null)
  from (select distinct rule -> 'live' ->> 'kind' as kind from cache_rules
    where table_name = any(names) and rule ? 'live' and not rule -> 'live' ? 'owner') live;
end $$;

create or replace function cache_truncated() returns trigger language plpgsql security definer set search_path from current as $$
begin
  perform cache_tables_changed(tg_argv);
  return null;
end $$;

-- Creates the missing triggers of a tracked table, of its partitions and of the tables that inherit from it. Triggers are missing on a new
-- table, and on one that was renamed to this name, attached as a partition, or made to inherit. The triggers call cache_changed_<name>()
-- and cache_replicated_<name>().
create or replace function cache_watch(name text) returns void language plpgsql security definer set search_path from current as $$
declare
  watched regclass;
  missing text;
  definition text;
begin
  -- A transaction that began before the rules were written has used the functions as they were: it ends first.
  if exists (select 1 from cache_rules where table_name = name and not is_followed) then
    for watched in select t.id from cache_tables(name) t(id) join pg_class c on c.oid = t.id and c.relkind in ('r', 'p') loop
      execute format('lock table %s in share row exclusive mode', watched);
    end loop;
  end if;
  for watched, missing, definition in
    select t.id, w.trigger, w.definition
    from cache_tables(name) t(id)
    join pg_class c on c.oid = t.id and c.relkind in ('r', 'p'),
    lateral (values
      ('cache_' || name || '_inserted', 'create trigger %I after insert on %s referencing new table as changed_rows
        for each statement execute function %3$I()'),
      ('cache_' || name || '_deleted', 'create trigger %I after delete on %s referencing old table as changed_rows
        for each statement execute function %3$I()'),
      ('cache_' || name || '_updated', 'create trigger %I after update on %s referencing old table as before_rows new table as after_rows
        for each statement execute function %3$I()'),
      ('cache_' || name || '_truncated', 'create trigger %I after truncate on %s for each statement execute function cache_truncated(%5$L);
        alter table %2$s enable always trigger %1$I'),
      -- Logical replication fires no triggers on statements when it applies changes, and those on rows only where they are made for it.
      -- They fire in sessions with session_replication_role = replica, too.
      ('cache_' || name || '_replicated', 'create trigger %I after insert or update or delete on %s for each row execute function %4$I();
        alter table %2$s enable replica trigger %1$I')
    ) w(trigger, definition)
    where not exists (select 1 from pg_trigger where tgrelid = t.id and tgname = w.trigger)
  loop
    -- A partition may have got it with the table that it is a part of.
    continue when exists (select 1 from pg_trigger where tgrelid = watched and tgname = missing);
    execute format(definition, missing, watched, 'cache_changed_' || name, 'cache_replicated_' || name, name);
  end loop;
exception
  -- Another process did so at the same time.
  when duplicate_object then null;
  when insufficient_privilege then
    raise warning 'The cache does not see what changes in %: make % its owner, then select cache_watch(%)',
      watched, current_user, quote_literal(name);
end $$;

-- Returns the rule of lists without the sorts and filters by columns that have been dropped or have got another type since: they would make
-- every write of the table fail. Pages that use such a column can no longer be read.
create or replace function cache_usable_lists(table_name text, lists jsonb) returns jsonb language sql stable set search_path from current as $$
  select lists || coalesce(jsonb_object_agg(part, (
    select coalesce(jsonb_agg(element), '[]') from jsonb_array_elements(lists -> part) element
    where cache_column(table_name, element ->> 'column') = any(case when element ->> 'type' = 'text'
      then '{text,varchar}'::regtype[] else '{int2,int4,int8}'::regtype[] end)
  )), '{}')
  from unnest('{sorts,conditions,ranges}'::text[]) part where lists ? part
$$;

-- Returns SQL that selects the names that changed rows of a table invalidate in a namespace of lists (see dependenciesOf() in
-- list-names.ts), at most 501 names. `after_rows` and `before_rows` are SQL: the rows after and before the change. They are joined by id, so
-- `b` is null for an inserted row, `a` is null for a deleted row, and a row with a changed id counts as a deleted and an inserted row.
create or replace function cache_list_names(lists jsonb, after_rows text, before_rows text) returns text language plpgsql immutable as $$
declare
  -- SQL: the names, each of them null unless a row has changed in this way, and the conditions for any of them
  names text[] := '{}';
  changes text[] := '{}';
  list record;
  one record;
  side record;
begin
  -- SQL: the name of the list of a row after and before the change, and whether the row has entered or left a list
  for list in
    select format('%L || a.%I', lists ->> 'prefix', lists ->> 'column') as after_name,
      format('%L || b.%I', lists ->> 'prefix', lists ->> 'column') as before_name,
      format('a.id is null or b.id is null or a.%1$I is distinct from b.%1$I', lists ->> 'column') as is_moved
    where lists ->> 'column' is not null
    union all
    select 'case when a.id is not null then ''all'' end', 'case when b.id is not null then ''all'' end', 'a.id is null or b.id is null'
    where (lists ->> 'withAll')::boolean or lists ->> 'column' is null
  loop
    changes := changes || list.is_moved;
    names := names || format('case when %s then %s end', list.is_moved, list.after_name)
      || format('case when %s then %s end', list.is_moved, list.before_name);
    -- Rows that were inserted, deleted or moved need no name with these suffixes: pages that depend on them depend on the list, too, or
    -- on bands.
    for one in
      select ' by ' || (sort ->> 'column') as suffix,
        format('(a.id is not null and b.id is not null and a.%1$I is distinct from b.%1$I)', sort ->> 'column') as is_changed
      from jsonb_array_elements(lists -> 'sorts') sort
      where not sort ? 'bounds'
      union all
      select ' where ' || (filter ->> 'name'),
        format('(a.id is not null and b.id is not null and ((a.%1$I > %2$s) is true) <> ((b.%1$I > %2$s) is true))',
          filter ->> 'column', filter -> 'greaterThan')
      from jsonb_array_elements(lists -> 'conditions') filter
    loop
      changes := changes || one.is_changed;
      names := names || format('case when %s then %s || %L end', one.is_changed, list.after_name, one.suffix);
    end loop;
    -- A value equal to a bound is in two bands: width_bucket() returns the upper one, and that of the next smaller integer the lower one.
    for one in
      select format(' by %s ', sort ->> 'column') as suffix, format('(%2$s or a.%1$I is distinct from b.%1$I)', sort ->> 'column', list.is_moved) as is_changed,
        true as with_order, sort ->> 'column' as column_name, format('%L::numeric[]', translate(sort ->> 'bounds', '[]', '{}')) as bounds
      from jsonb_array_elements(lists -> 'sorts') sort
      where sort ? 'bounds'
      union all
      select format(' %s ', filter ->> 'name'), format('(%2$s or a.%1$I is distinct from b.%1$I)', filter ->> 'column', list.is_moved),
        false, filter ->> 'column', format('%L::numeric[]', translate(filter ->> 'bounds', '[]', '{}'))
      from jsonb_array_elements(lists -> 'ranges') filter
    loop
      changes := changes || one.is_changed;
      for side in
        select name, format('width_bucket(%s.%I::numeric - %s, %s)', alias, one.column_name, less, one.bounds) as band,
          format('(width_bucket(%1$s.%2$I::numeric, %3$s), width_bucket(%1$s.%2$I::numeric - 1, %3$s))', other, one.column_name, one.bounds) as other_bands
        from (values (list.after_name, 'a', 'b'), (list.before_name, 'b', 'a')) sides(name, alias, other), unnest('{0,1}'::int[]) less
      loop
        names := names || format('case when %s%s then %s || %L || %s end', one.is_changed,
          -- A change within a band invalidates pages in the order of the column only.
          case when one.with_order then '' else format(' and (%s or (%s in %s) is not true)', list.is_moved, side.band, side.other_bands) end,
          side.name, one.suffix, side.band);
      end loop;
    end loop;
  end loop;
  return format('select distinct list.name from %s a full join %s b using (id), unnest(array[%s]) list(name)
    where (%s) and list.name is not null limit 501',
    after_rows, before_rows, array_to_string(names, ', '), array_to_string(changes, ' or '));
end $$;

-- Recreates the trigger functions of a table from all of its rules. In the functions, `changed_rows` are the rows that the statement
-- inserted or deleted; for an update, `before_rows` and `after_rows` are the rows before and after the change. If an update changes an id
-- or the key of a list, both the old and the new entry or list are invalidated.
create or replace function cache_write_triggers(name text) returns void language plpgsql set search_path from current as $$
declare
  one record;
  updated text := '';
  changed text := '';
  replicated text := '';
begin
  for one in
    select namespace, rule -> 'entries' as entries, cache_usable_lists(name, rule -> 'lists') as lists, rule ->> 'all' as whole, rule -> 'live' as live
    from (select distinct namespace, rule from cache_rules where table_name = name) rules
    -- Of a column that was dropped nothing follows any more.
    where not exists (
      select 1 from unnest(array[rule -> 'entries' ->> 'column', rule -> 'lists' ->> 'column', rule -> 'live' ->> 'owner']) used(column_name)
      where used.column_name is not null and cache_column(name, used.column_name) is null)
    order by namespace, rule
  loop
    if one.entries is not null then
      updated := updated || format('perform outbox_write(%1$L, array(
        select %2$L || %3$I from after_rows where %3$I is not null union select %2$L || %3$I from before_rows where %3$I is not null
        limit 501), ''{}''); ', one.namespace, one.entries ->> 'prefix', one.entries ->> 'column');
      changed := changed || format('perform outbox_write(%1$L, array(
        select distinct %2$L || %3$I from changed_rows where %3$I is not null limit 501), ''{}''); ',
        one.namespace, one.entries ->> 'prefix', one.entries ->> 'column');
      replicated := replicated || format('perform outbox_write(%1$L, array(
        select distinct %2$L || key from unnest(array[old.%3$I, new.%3$I]) key where key is not null), ''{}''); ',
        one.namespace, one.entries ->> 'prefix', one.entries ->> 'column');
    elsif one.lists is not null then
      updated := updated || format('perform outbox_write(%L, ''{}'', array(%s)); ',
        one.namespace, cache_list_names(one.lists, 'after_rows', 'before_rows'));
      changed := changed || format('perform outbox_write(%L, ''{}'', array(%s)); ',
        one.namespace, cache_list_names(one.lists, 'changed_rows', '(select * from changed_rows where false)'));
      replicated := replicated || format('perform outbox_write(%L, ''{}'', array(%s)); ',
        one.namespace, cache_list_names(one.lists, '(select new.*)', '(select old.*)'));
    elsif one.whole is not null then
      changed := changed || format('perform outbox_write_all(%L); ', one.namespace);
      if one.whole = 'any change' then
        updated := updated || format('if exists (select 1 from after_rows) then perform outbox_write_all(%L); end if; ', one.namespace);
        replicated := replicated || format('perform outbox_write_all(%L); ', one.namespace);
      else
        replicated := replicated || format('if tg_op <> ''UPDATE'' then perform outbox_write_all(%L); end if; ', one.namespace);
      end if;
    elsif one.live ->> 'owner' is null then
      updated := updated || format('perform live_changes_write(%L, ids, null)
        from (select array_agg(id) as ids from after_rows a full join before_rows b using (id)
          where a.id is null or b.id is null or a *<> b) c
        where ids is not null; ', one.live ->> 'kind');
      changed := changed || format('perform live_changes_write(%L, array(select id from changed_rows), null); ', one.live ->> 'kind');
      replicated := replicated || format('if tg_op <> ''UPDATE'' or old *<> new then
        perform live_changes_write(%L, array(select distinct id from unnest(array[old.id, new.id]) id where id is not null), null); end if; ',
        one.live ->> 'kind');
    else
      changed := changed || format('if tg_op = ''INSERT'' then
        perform live_changes_write(%1$L, array_agg(id order by id), array_agg(%2$I order by id)) from changed_rows; end if; ',
        one.live ->> 'kind', one.live ->> 'owner');
      replicated := replicated || format('if tg_op = ''INSERT'' then
        perform live_changes_write(%1$L, array[new.id], array[new.%2$I]); end if; ', one.live ->> 'kind', one.live ->> 'owner');
    end if;
  end loop;
  execute format('create or replace function %I() returns trigger language plpgsql security definer set search_path from current as %L',
    'cache_changed_' || name, format('begin
      if tg_op = ''UPDATE'' then %s
      elsif exists (select 1 from changed_rows) then %s
      end if;
      return null;
    end', updated || 'null;', changed || 'null;'));
  execute format('create or replace function %I() returns trigger language plpgsql security definer set search_path from current as %L',
    'cache_replicated_' || name, format('begin %s return null; end', replicated));
end $$;

-- Sets the invalidation rules of a namespace, as an array of objects with a "table" and one of
--   "entries": {"column": "id", "prefix": "product_"}   each row belongs to one entry
--   "lists": {"column": "category", "prefix": "category:", "withAll": true}
--     each row is in the list named by its column value and in the list of all rows; without a column, only in the list of all rows.
--     Lists that can be sorted and filtered also have "sorts": [{"column": "name", "type": "text"}, {"column": "price_cents",
--     "type": "integer", "bounds": [1000, 5000]}], "conditions": [{"name": "inStock", "column": "stock",
--     "greaterThan": 0}] and "ranges": [{"name": "price", "column": "price_cents", "bounds": [1000, 5000]}]
--   "all": "membership" or "any change"                 the whole namespace, on inserts and deletes, or on every change
--   "live": {"kind": "product"}                         live_changes, with changed rows; with "owner" (a column), with inserted rows
-- Does nothing if the rules are already set. Afterwards, cache_watch() has to create the triggers, in one transaction per table: locking
-- several tables in one transaction could deadlock. Finally, call cache_followed().
create or replace function cache_follow(namespace text, version int, rules jsonb) returns void
  language plpgsql set search_path from current as $$
declare
  one record;
  touched text[];
  before int;
  is_integer boolean;
  refused text := format('The cache cannot follow "%s": ', namespace);
begin
  perform pg_advisory_xact_lock(7310428);
  for one in
    select rule ->> 'table' as table_name, columns.name as column_name, columns.purpose
    from jsonb_array_elements(rules) rule, lateral (
      select * from (values
        (rule -> 'entries' ->> 'column', null), (rule -> 'lists' ->> 'column', null), (rule -> 'live' ->> 'owner', 'live changes'),
        (case when rule ? 'lists' or rule ? 'live' then 'id' end, case when rule ? 'live' then 'live changes' end), (null, null)
      ) keys(name, purpose)
      union all
      select filter ->> 'column', 'filters' from jsonb_array_elements(coalesce(rule -> 'lists' -> 'conditions', '[]') || coalesce(rule -> 'lists' -> 'ranges', '[]')) filter
      union all
      select sort ->> 'column', 'sorts by ' || (sort ->> 'type') from jsonb_array_elements(rule -> 'lists' -> 'sorts') sort
    ) columns
  loop
    if not exists (select 1 from pg_class where oid = cache_table(one.table_name) and relkind in ('r', 'p')) then
      raise exception '%there is no table "%" in the schema "%"', refused, one.table_name, current_schema() using errcode = 'undefined_table';
    end if;
    if length(one.table_name) > 40 then
      raise exception '%the name of the table "%" has more than 40 characters', refused, one.table_name using errcode = 'invalid_name';
    end if;
    continue when one.column_name is null;
    if cache_column(one.table_name, one.column_name) is null then
      raise exception '%the table "%" has no column "%"', refused, one.table_name, one.column_name using errcode = 'undefined_column';
    end if;
    is_integer := cache_column(one.table_name, one.column_name) in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype);
    if one.purpose in ('live changes', 'filters') and not is_integer then
      raise exception '%the column "%" of the table "%" is no integer, as % need it', refused, one.column_name, one.table_name, one.purpose
        using errcode = 'datatype_mismatch';
    end if;
    if one.purpose like 'sorts by %' then
      if one.purpose <> 'sorts by ' || (case
        when is_integer then 'integer'
        when cache_column(one.table_name, one.column_name) in ('text'::regtype, 'varchar'::regtype) then 'text'
        else '' end)
      then
        raise exception '%the column "%" of the table "%" is no % column', refused, one.column_name, one.table_name, substring(one.purpose from 10)
          using errcode = 'datatype_mismatch', hint = 'Lists can be sorted by integers and, with a collation, by text.';
      end if;
      if not (select attnotnull from pg_attribute where attrelid = cache_table(one.table_name) and attname = one.column_name) then
        raise exception '%the column "%" of the table "%" may be null, so lists cannot be sorted by it', refused, one.column_name, one.table_name
          using errcode = 'null_value_not_allowed', hint = format('alter table %I alter column %I set not null', one.table_name, one.column_name);
      end if;
    end if;
  end loop;
  -- What differs
  touched := array(
    select distinct coalesce(old.table_name, new.table_name)
    from (select table_name, rule from cache_rules r where r.namespace = cache_follow.namespace and r.version = cache_follow.version) old
    full join (select rule ->> 'table' as table_name, rule - 'table' as rule from jsonb_array_elements(rules) rule) new using (table_name, rule)
    where old.rule is null or new.rule is null
  );
  if touched <> '{}' then
    before := (select max(r.version) from cache_rules r where r.namespace = cache_follow.namespace and r.version < cache_follow.version);
    touched := array(
      select unnest(touched) union
      select r.table_name from cache_rules r where r.namespace = cache_follow.namespace and r.version < before);
    delete from cache_rules r where r.namespace = cache_follow.namespace and (r.version = cache_follow.version or r.version < before);
    insert into cache_rules (namespace, version, table_name, rule)
      select cache_follow.namespace, cache_follow.version, rule ->> 'table', rule - 'table' from jsonb_array_elements(rules) rule;
    perform cache_write_triggers(name) from unnest(touched) name;
  end if;
end $$;

-- Completes the tracking of a namespace: invalidates the entries cached before the triggers existed.
create or replace function cache_followed(namespace text, version int) returns void language plpgsql security definer set search_path from current as $$
declare
  unwatched text;
begin
  select table_name into unwatched from cache_rules r
    where r.namespace = cache_followed.namespace and r.version = cache_followed.version and not exists (
      select 1 from pg_trigger where tgrelid = cache_table(table_name) and tgname = 'cache_' || table_name || '_inserted');
  if unwatched is not null then
    raise exception 'The cache cannot follow "%": the table "%" is not one that % may have triggers on', namespace, unwatched, current_user
      using errcode = 'insufficient_privilege', hint = format('alter table %I owner to %I', unwatched, current_user);
  end if;
  update cache_rules r set is_followed = true
    where r.namespace = cache_followed.namespace and r.version = cache_followed.version and not is_followed;
  if found then insert into cache_outbox (namespace) values (cache_followed.namespace); end if;
end $$;

-- Runs after DDL on tables that are tracked, or that were tracked and still have triggers of the cache. Recreates the missing triggers, and
-- invalidates all namespaces that depend on these tables, because it is unknown which rows changed.
create or replace function cache_ddl_ended() returns void language plpgsql security definer set search_path from current as $$
declare
  commanded oid[];
  concerned text[];
begin
  -- What removes all of it must not fail.
  if to_regclass('cache_rules') is null or to_regclass('cache_outbox') is null then return; end if;
  commanded := array(select objid from pg_event_trigger_ddl_commands() where classid = 'pg_class'::regclass);
  concerned := array(
    select distinct table_name from cache_rules
    where exists (select 1 from cache_tables(table_name) t(id) where t.id = any(commanded))
      or exists (
        select 1 from pg_trigger
        where tgrelid = any(commanded) and tgname = 'cache_' || table_name || '_updated' and tgfoid = to_regproc(quote_ident('cache_changed_' || table_name))));
  if concerned = '{}' then return; end if;
  perform cache_write_triggers(watched) from unnest(concerned) watched;
  perform cache_watch(watched) from unnest(concerned) watched;
  perform cache_tables_changed(concerned);
end $$;

-- Runs after tables were dropped. Invalidates all namespaces that depend on these tables, which are recognized by their dropped triggers.
create or replace function cache_dropped() returns void language plpgsql security definer set search_path from current as $$
declare
  concerned text[];
begin
  if to_regclass('cache_rules') is null or to_regclass('cache_outbox') is null then return; end if;
  concerned := array(
    select distinct table_name from cache_rules, pg_event_trigger_dropped_objects() dropped
    where dropped.object_type = 'trigger' and dropped.address_names[3] = 'cache_' || table_name || '_inserted');
  if concerned <> '{}' then perform cache_tables_changed(concerned); end if;
end $$;

create or replace function cache_ddl() returns event_trigger language plpgsql security definer set search_path from current as $$
begin
  perform cache_ddl_ended();
end $$;
create or replace function cache_drop() returns event_trigger language plpgsql security definer set search_path from current as $$
begin
  perform cache_dropped();
end $$;

-- Functions that only the engine and the triggers may call
revoke execute on function
  outbox_write(text, text[], text[]), outbox_write_all(text), live_changes_write(text, bigint[], bigint[]), cache_tables_changed(text[]),
  cache_watch(text), cache_write_triggers(text), cache_list_names(jsonb, text, text), cache_usable_lists(text, jsonb), cache_follow(text, int, jsonb), cache_followed(text, int), cache_ddl_ended(), cache_dropped()
from public;
