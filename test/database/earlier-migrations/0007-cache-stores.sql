-- The stores (servers, or memories of processes) that caches use. The outbox owes each of them every change that is committed after its
-- registration, until it has confirmed it: what one server confirmed says nothing of another one.
create sequence cache_store_registrations;
create table cache_stores (
  -- Key space and server: a server that restarts or fails over has another name.
  name text primary key,
  -- Another one each time that it is registered; it is emptied before it is used under a new one.
  registration bigint not null default nextval('cache_store_registrations'),
  -- A version of this program with other namespaces is registered apart.
  namespaces text[] not null,
  registered_at timestamptz not null default clock_timestamp(),
  -- When a process last reported that it trusts the store; null where none has
  in_use_at timestamptz
);

alter table cache_outbox
  add column delivered_to bigint[] not null default '{}',
  -- The store whose process is delivering it, and until when others leave it alone
  add column claimed_by bigint,
  add column claimed_until timestamptz;

-- The registrations that are still owed a change.
create function cache_stores_owed(namespace text, delivered_to bigint[]) returns table (registration bigint, in_use_at timestamptz)
  language sql stable as $$
  select s.registration, s.in_use_at from cache_stores s
  where cache_stores_owed.namespace = any(s.namespaces) and s.registration <> all(cache_stores_owed.delivered_to)
$$;

-- Waits until every process serves what was committed before this call, by whomever: until all stores in use have confirmed it. Answers
-- false where that takes longer than the limit. For scripts and services that change the shop by SQL, after their commit.
create function cache_wait(timeout interval default '5 seconds') returns boolean
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
