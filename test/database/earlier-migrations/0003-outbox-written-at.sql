-- When a change was noted, so that the relay can say how long it took to reach the cache.
alter table cache_outbox add column written_at timestamptz not null default clock_timestamp();
