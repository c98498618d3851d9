-- How far each projection has come, and which generation of it is the one that is read.
create table projection_positions (
    projection_name text primary key,
    last_processed_position bigint not null default 0,
    last_processed_at timestamptz not null default now(),
    generation integer not null default 1
);

-- A generation that is being built anew beside the one that is read; at most one for each projection.
create table projection_rebuilds (
    projection_name text primary key references projection_positions on delete cascade,
    last_processed_position bigint not null default 0,
    last_processed_at timestamptz not null default now(),
    started_at timestamptz not null default now(),
    generation integer not null
);

-- The rows of every generation.
create table projection_documents (
    projection_name text not null,
    generation integer not null,
    id text not null,
    data jsonb not null,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (projection_name, generation, id)
);

create index projection_documents_data on projection_documents using gin (data jsonb_path_ops);

-- What is read. To make another generation the current one is an update of one row, whatever the projection's size.
create view projections as
    select d.id, d.projection_name, d.data, d.version, d.created_at, d.updated_at
    from projection_documents d
    join projection_positions p on p.projection_name = d.projection_name and p.generation = d.generation;
