-- What followed the tables before their declarations did (see cache_follow). It goes after that has begun, so that no change is missed.
do $$
begin
  drop event trigger if exists shop_ddl;
  drop event trigger if exists shop_dropped;
-- A user who may not drop them keeps them at work.
exception when insufficient_privilege then null;
end $$;

-- They stay for one version: a process of the version before makes its event triggers again when it starts.
create or replace function shop_ddl() returns event_trigger language plpgsql security definer set search_path from current as $$
begin
  perform cache_ddl_ended();
end $$;
create or replace function shop_dropped() returns event_trigger language plpgsql security definer set search_path from current as $$
begin
  perform cache_dropped();
end $$;
