create table credentials (
    user_id text primary key,
    hash text not null,
    changed_at timestamptz not null default now()
);
create table auth_accounts (email text primary key, user_id text not null unique);
create table auth_identities (
    provider text not null,
    external_id text not null,
    user_id text not null,
    primary key (provider, external_id)
);
create index auth_identities_user_id on auth_identities (user_id);
create table auth_sessions (
    session_id text primary key,
    user_id text not null,
    expires_at timestamptz not null,
    revoked boolean not null default false
);
create index auth_sessions_user_id on auth_sessions (user_id);
create index auth_sessions_expires_at on auth_sessions (expires_at);
create table auth_refresh_tokens (
    hash bytea primary key,
    session_id text not null references auth_sessions on delete cascade,
    used_at timestamptz
);
create index auth_refresh_tokens_session_id on auth_refresh_tokens (session_id);
create table auth_attempts (
    key bytea primary key,
    since timestamptz not null default now(),
    count integer not null
);
create index auth_attempts_since on auth_attempts (since);
