-- One call makes the cache follow a table that it is new to.

-- Names of settings know neither hyphens nor capitals: told apart by more than that, namespaces would share a count.
create or replace function noted_in_transaction(kind text, more bigint) returns bigint language plpgsql as $$
declare
  setting text := 'shop.noted_' || md5(kind);
  transaction text := pg_current_xact_id()::text;
  noted text[] := string_to_array(current_setting(setting, true), ' ');
  total bigint := more + case when noted[1] = transaction then noted[2]::bigint else 0 end;
begin
  perform set_config(setting, transaction || ' ' || total, true);
  return total;
end $$;

-- Makes the namespace `table_name` of the cache follow that table: rows by their column `id`, as kind_7. A list is a namespace of pages of
-- ids, one list for each value of a column, and one of all: '{"product-reviews": {"column": "product_id", "prefix": "product_"}}'. A change
-- of that column makes both lists wrong; any other change of a row its list, and that of all, only where the row is new or gone.
-- Once for a table, with all of its lists.
create function cache_track(table_name text, kind text, lists jsonb default '{}') returns void
  language plpgsql set search_path from current as $$
declare
  list record;
  inserted text := '';
  updated text := '';
  replicated text := '';
  given text;
begin
  for given in select unnest(array[table_name, kind]) union all select replace(jsonb_object_keys(lists), '-', '_') loop
    if given !~ '^[a-z][a-z0-9_]{0,39}$' then
      raise exception 'The name "%" has more than small letters, digits and "_" (a list also "-"), or begins with none', given
        using errcode = 'invalid_name';
    end if;
  end loop;
  if not exists (select 1 from pg_class where oid = shop_table(table_name) and relkind in ('r', 'p')) then
    raise exception 'There is no table "%" in the schema "%"', table_name, current_schema() using errcode = 'undefined_table';
  end if;
  if exists (select 1 from cache_namespaces n where n.name = table_name) then
    raise exception 'The cache follows the table "%" already', table_name using errcode = 'duplicate_object';
  end if;
  for list in select 'id' as of_column union all select value ->> 'column' from jsonb_each(lists) loop
    if not exists (select 1 from pg_attribute where attrelid = shop_table(table_name) and attname = list.of_column and not attisdropped) then
      raise exception 'The table "%" has no column "%"', table_name, list.of_column using errcode = 'undefined_column';
    end if;
  end loop;
  insert into cache_namespaces (name, holds, tables) values (table_name, 'entries', array[table_name]);
  for list in select key as namespace, value ->> 'column' as of_column, coalesce(value ->> 'prefix', '') as prefix from jsonb_each(lists) loop
    insert into cache_namespaces (name, holds, tables) values (list.namespace, 'lists', array[table_name]);
    inserted := inserted || format(
      'perform outbox_write(%1$L, ''{}'', array((select distinct %2$L || r.%3$I from changed_rows r where r.%3$I is not null limit 501)
        union all select ''all'')); ',
      list.namespace, list.prefix, list.of_column);
    updated := updated || format(
      'perform outbox_write(%1$L, ''{}'', array(select distinct its.name from after_rows a full join before_rows b using (id),
        unnest(array[%2$L || a.%3$I, %2$L || b.%3$I, case when a.id is null or b.id is null then ''all'' end]) its(name)
        where (a.id is null or b.id is null or a.%3$I is distinct from b.%3$I) and its.name is not null limit 501)); ',
      list.namespace, list.prefix, list.of_column);
    replicated := replicated || format(
      'if old.id is distinct from new.id or old.%3$I is distinct from new.%3$I then
        perform outbox_write(%1$L, ''{}'', array(select distinct its.name
          from unnest(array[%2$L || old.%3$I, %2$L || new.%3$I, case when old.id is distinct from new.id then ''all'' end]) its(name)
          where its.name is not null));
      end if; ', list.namespace, list.prefix, list.of_column);
  end loop;
  execute format('create function %I() returns trigger language plpgsql security definer set search_path from current as %L',
    table_name || '_changed', format('begin
      if tg_op = ''UPDATE'' then
        perform outbox_write(%1$L, array(select %2$L || id from after_rows union select %2$L || id from before_rows limit 501), ''{}'');
        %3$s
      elsif exists (select 1 from changed_rows) then
        perform outbox_write(%1$L, array(select %2$L || id from changed_rows limit 501), ''{}'');
        %4$s
      end if;
      return null;
    end', table_name, kind || '_', updated, inserted));
  execute format('create function %I() returns trigger language plpgsql security definer set search_path from current as %L',
    table_name || '_replicated', format('begin
      perform outbox_write(%1$L, array(select distinct %2$L || id from unnest(array[old.id, new.id]) id where id is not null), ''{}'');
      %3$s
      return null;
    end', table_name, kind || '_', replicated));
  perform watch_shop_table(table_name);
  if not exists (select 1 from pg_trigger where tgrelid = shop_table(table_name) and tgname = table_name || '_inserted') then
    raise exception 'The table "%" is not one that % may have triggers on', table_name, current_user using errcode = 'insufficient_privilege';
  end if;
  -- What was cached before
  perform shop_tables_changed(array[table_name]);
end $$;
