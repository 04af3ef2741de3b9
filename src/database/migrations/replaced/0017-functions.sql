drop function if exists shop_truncated() cascade;
drop function if exists cache_track(text, text, jsonb);
drop function if exists shop_tables_changed(text[]);
drop function if exists watch_shop_table(text);
drop function if exists shop_tables(text);
drop function if exists shop_table(text);
drop table if exists cache_namespaces;
