-- How far the events of each service have been published. Publishing is a cursor over events, not a second table.
create table outbox_cursors (
    service text primary key,
    position bigint not null default 0,
    updated_at timestamptz not null default now()
);
