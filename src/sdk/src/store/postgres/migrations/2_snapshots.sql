-- The state of an aggregate at a version, so that loading it need not begin at its first event.
create table snapshots (
    aggregate_type text not null,
    aggregate_id text not null,
    version integer not null,
    state jsonb not null,
    created_at timestamptz not null default now(),
    primary key (aggregate_type, aggregate_id)
);
