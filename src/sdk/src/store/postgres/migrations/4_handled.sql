-- What has been handled, under a key that the sender chose, with the answer that was given.
create table handled_messages (
    scope text not null,
    key text not null,
    -- Who is at work; another one may take over when the lease has run out.
    claim uuid not null,
    leased_until timestamptz not null,
    -- Null while the work goes on.
    completed_at timestamptz,
    reply jsonb,
    expires_at timestamptz not null,
    primary key (scope, key)
);

create index handled_messages_expires_at on handled_messages (expires_at);
