-- What subscribers are told, written by the transaction that changed it, whoever made the change. Unlike the outbox, every process reads
-- all of it; rows go some minutes after their commit.
create table live_changes (
  transaction_id xid8 not null default pg_current_xact_id(),
  -- 'product': changed, with the ids of those that are other, new or gone. 'order': made.
  kind text not null,
  -- null: all that there were
  ids bigint[],
  -- Whose, in the order of ids
  owners bigint[]
);
create index live_changes_transaction on live_changes (transaction_id);

-- As those of the outbox, these run as their owner.
create function live_changes_write(kind text, ids bigint[], owners bigint[]) returns void
  language plpgsql security definer set search_path from current as $$
begin
  insert into live_changes (kind, ids, owners) values (live_changes_write.kind, live_changes_write.ids, live_changes_write.owners);
  perform pg_notify('live_changes', '');
end $$;

create function live_products_changed() returns trigger language plpgsql security definer set search_path from current as $$
declare
  changed bigint[];
begin
  if tg_op = 'TRUNCATE' then
    perform live_changes_write('product', null, null);
    return null;
  end if;
  if tg_op = 'UPDATE' then
    changed := array(select id from after_rows a full join before_rows b using (id) where a is distinct from b);
  else
    changed := array(select id from changed_rows);
  end if;
  if cardinality(changed) > 0 then perform live_changes_write('product', changed, null); end if;
  return null;
end $$;

create function live_orders_created() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if exists (select 1 from changed_rows) then
    perform live_changes_write('order', array_agg(id order by id), array_agg(user_id order by id)) from changed_rows;
  end if;
  return null;
end $$;

create trigger products_inserted_live after insert on products
  referencing new table as changed_rows for each statement execute function live_products_changed();
create trigger products_deleted_live after delete on products
  referencing old table as changed_rows for each statement execute function live_products_changed();
create trigger products_updated_live after update on products
  referencing old table as before_rows new table as after_rows for each statement execute function live_products_changed();
create trigger products_truncated_live after truncate on products
  for each statement execute function live_products_changed();
create trigger orders_inserted_live after insert on orders
  referencing new table as changed_rows for each statement execute function live_orders_created();
