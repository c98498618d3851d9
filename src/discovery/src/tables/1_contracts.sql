-- What services offer: one row for each version that was accepted.
create table service_contracts (
    id serial primary key,
    service_name varchar(255) not null,
    version varchar(50) not null,
    contracts jsonb not null,
    checksum varchar(64) not null,
    registered_at timestamptz not null default now(),
    last_updated timestamptz not null default now(),
    unique (service_name, version)
);
create index service_contracts_registered_at on service_contracts (registered_at desc);
create index service_contracts_checksum on service_contracts (checksum);

-- Everything that was ever registered, and what became of it. What comes again is counted.
create table service_contract_history (
    id bigserial primary key,
    service_name varchar(255) not null,
    version varchar(50) not null,
    checksum varchar(64) not null,
    contracts jsonb not null,
    verdict text not null check (verdict in ('accepted', 'forced', 'refused')),
    faults jsonb not null,
    differences jsonb not null,
    service_id text not null,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    times integer not null default 1,
    unique (service_name, version, checksum, verdict)
);

-- The instances that are there, as far as is known.
create table service_instances (
    service_id text primary key,
    service_name varchar(255) not null,
    version varchar(50) not null,
    endpoint text,
    started_at timestamptz not null,
    registered_at timestamptz not null default now()
);
create index service_instances_service_name on service_instances (service_name);

-- Which service needs which, and what for.
create table service_dependencies (
    service_name varchar(255) not null,
    depends_on varchar(255) not null,
    kind text not null check (kind in ('calls', 'listens')),
    message_type text not null,
    last_seen timestamptz not null default now(),
    primary key (service_name, depends_on, kind, message_type)
);

-- What was told of each service's health last.
create table service_health (
    service_name varchar(255) primary key,
    status text not null check (status in ('healthy', 'degraded', 'unhealthy', 'unknown')),
    since timestamptz not null default now()
);
