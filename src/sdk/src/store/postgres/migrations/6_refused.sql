-- Events that could not be published, and why. They stay in events; whoever has mended the cause removes the row.
create table outbox_refused (
    service text not null,
    position bigint not null,
    reason text not null,
    refused_at timestamptz not null default now(),
    primary key (service, position)
);
