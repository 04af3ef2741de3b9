-- One call makes the cache follow a table that it is new to.

-- Makes the namespace `table_name` of the cache follow that table: rows by their column `id`, as kind_7. A list is a namespace of pages of
-- ids, one list for each value of a column: '{"product-reviews": {"column": "product_id", "prefix": "product_"}}'. A change of that column
-- makes both lists wrong; any other change of a row its list only where the row is new or gone.
create function cache_track(table_name text, kind text, lists jsonb default '{}') returns void
  language plpgsql set search_path from current as $$
declare
  list record;
  inserted text := '';
  updated text := '';
  replicated text := '';
begin
  if shop_table(table_name) is null then
    raise exception 'There is no table "%" in the schema "%"', table_name, current_schema() using errcode = 'undefined_table';
  end if;
  insert into cache_namespaces (name, holds, tables) values (table_name, 'entries', array[table_name]);
  for list in select key as namespace, value ->> 'column' as of_column, coalesce(value ->> 'prefix', '') as prefix from jsonb_each(lists) loop
    if not exists (
      select 1 from pg_attribute where attrelid = shop_table(table_name) and attname = list.of_column and not attisdropped
    ) then
      raise exception 'The table "%" has no column "%", by which the list "%" is kept', table_name, list.of_column, list.namespace
        using errcode = 'undefined_column';
    end if;
    insert into cache_namespaces (name, holds, tables) values (list.namespace, 'lists', array[table_name]);
    inserted := inserted || format(
      'perform outbox_write(%1$L, ''{}'', array(select distinct %2$L || %3$I from changed_rows where %3$I is not null limit 501)); ',
      list.namespace, list.prefix, list.of_column);
    updated := updated || format(
      'perform outbox_write(%1$L, ''{}'', array(select distinct %2$L || owner from after_rows a full join before_rows b using (id),
        unnest(array[a.%3$I, b.%3$I]) owner where a.%3$I is distinct from b.%3$I and owner is not null limit 501)); ',
      list.namespace, list.prefix, list.of_column);
    replicated := replicated || format(
      'if old.id is distinct from new.id or old.%3$I is distinct from new.%3$I then
        perform outbox_write(%1$L, ''{}'', array(select distinct %2$L || owner from unnest(array[old.%3$I, new.%3$I]) owner where owner is not null));
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
end $$;
