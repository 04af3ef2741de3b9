-- One transaction of very many statements leaves no more rows than one of a few hundred: what it does to a namespace is counted, and above a
-- limit it is noted once, as everything.

-- How many things of this kind the transaction has noted, with these. The count is a setting local to the transaction: it is rolled back
-- with a savepoint, as the rows are. The number of the transaction is in it, so what a session has set means nothing.
create function noted_in_transaction(kind text, more bigint) returns bigint language plpgsql as $$
declare
  setting text := 'shop.noted_' || replace(kind, '-', '_');
  transaction text := pg_current_xact_id()::text;
  noted text[] := string_to_array(current_setting(setting, true), ' ');
  total bigint := more + case when noted[1] = transaction then noted[2]::bigint else 0 end;
begin
  perform set_config(setting, transaction || ' ' || total, true);
  return total;
end $$;

-- Over 500 in one transaction the whole namespace is invalidated: that is O(1), and the outbox stays small.
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

-- Numbered, so that they can be read in parts
alter table live_changes add column id bigint not null generated always as identity;
create index live_changes_order on live_changes (transaction_id, id);
drop index live_changes_transaction;

-- Over 1,000 products, or 10,000 orders, in one transaction: `ids` is null. Of products that means any of them; of orders, that more
-- were made than are told one by one.
create or replace function live_changes_write(kind text, ids bigint[], owners bigint[]) returns void
  language plpgsql security definer set search_path from current as $$
declare
  most bigint := case live_changes_write.kind when 'order' then 10000 else 1000 end;
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
