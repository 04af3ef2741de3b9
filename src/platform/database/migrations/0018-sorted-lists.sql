-- For lists sorted by a column (price, name, total), forward and backward. On large tables, create these indexes concurrently before the
-- migration: create index concurrently if not exists ...
create index if not exists products_by_price on products (price_cents, id);
create index if not exists products_category_by_price on products (category, price_cents, id);
create index if not exists products_by_name on products (name collate "und-x-icu", id);
create index if not exists products_category_by_name on products (category, name collate "und-x-icu", id);
create index if not exists orders_user_by_total on orders (user_id, total_cents, id);
