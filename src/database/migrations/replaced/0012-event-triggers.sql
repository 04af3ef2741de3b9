-- What followed the tables before their declarations did (see cache_follow). It goes after that has begun, so that no change is missed.
do $$
declare
  event_triggers name[] := array(select evtname from pg_event_trigger where evtname in ('shop_ddl', 'shop_dropped'));
begin
  begin
    drop event trigger if exists shop_ddl;
    drop event trigger if exists shop_dropped;
    event_triggers := '{}';
  exception when insufficient_privilege then null;
  end;
  -- A user who may not drop them keeps them at work.
  if 'shop_ddl' = any(event_triggers) then
    create or replace function shop_ddl() returns event_trigger language plpgsql security definer set search_path from current as
      'begin perform cache_ddl_ended(); end';
  else
    drop function if exists shop_ddl();
  end if;
  if 'shop_dropped' = any(event_triggers) then
    create or replace function shop_dropped() returns event_trigger language plpgsql security definer set search_path from current as
      'begin perform cache_dropped(); end';
  else
    drop function if exists shop_dropped();
  end if;
end $$;
