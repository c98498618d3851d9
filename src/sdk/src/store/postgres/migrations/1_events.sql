-- Events, one per row. Positions are gapless and in commit order: whoever appends holds an advisory lock from before the
-- first position is known until the commit is visible. A counter row would do the same, but each update leaves a dead
-- version that a long transaction anywhere in the database keeps from being removed, and every later update then has to
-- walk over all of them (measured: 25 times slower after ten seconds). The end of the primary key has no such memory.
-- There are no checks, since they are parsed anew for each statement; `append_events` is the only one that writes here.
create table events (
    position bigint primary key,
    -- Ids are of version 7 and so grow with time: the index is written at its end only.
    event_id uuid not null constraint events_event_id unique,
    service text not null,
    aggregate_type text not null,
    aggregate_id text not null,
    version integer not null,
    event_type text not null,
    event_version integer not null,
    event_data jsonb not null,
    metadata jsonb not null,
    occurred_at timestamptz not null,
    correlation_id text,
    causation_id text,
    constraint events_stream unique (aggregate_type, aggregate_id, version)
);

-- Rows lie in the order of their time, so that a summary per range of pages finds a time and costs appends next to nothing.
create index events_occurred_at on events using brin (occurred_at) with (pages_per_range = 32, autosummarize = on);

-- Few values, each of which is written at its own end and stored once per page.
create index events_event_type on events (event_type);

-- Appends that belong to nobody but happen to arrive together, as one statement and so as one commit.
--
-- One entry of the arrays that begin with `a_` is one append; one of those that begin with `e_` is one event, `e_append`
-- says of which append and `e_index` which one of it, both from 1. `a_expected` is the version that the stream must have,
-- and -1 when any will do; `a_previous` is the last append before it to the same stream, and 0 when there is none.
--
-- `bases` holds for each append the position before its first event, -1 when the stream was not at the expected version;
-- `actual` holds the version that the stream had before it. Whatever is wrong with the data of an event fails all.
--
-- `tell` says whether those who listen are told with the commit. That makes a lone commit a tenth slower and costs the
-- others a wake-up each, so that under load one in several does it for all.
--
-- Plans are made once per session and may be as old as the first event: whatever the statistics say then, the way to a
-- stream's version is its index.
create function append_events(
    a_expected integer[], a_count integer[], a_previous integer[],
    e_append integer[], e_index integer[], e_service text[], e_aggregate_type text[], e_aggregate_id text[],
    e_id uuid[], e_type text[], e_version integer[], e_data text[], e_metadata text[], e_occurred_at bigint[],
    e_correlation text[], e_causation text[], tell boolean,
    out bases bigint[], out actual integer[]
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    before bigint;
    head bigint;
    version integer;
begin
    perform pg_advisory_xact_lock(7089054353921802852);
    select coalesce(max(position), 0) into before from events;
    select array_agg(coalesce((
            select e.version from events e
            where e.aggregate_type = s.type and e.aggregate_id = s.id order by e.version desc limit 1
        ), 0) order by s.append)
        into actual
        from unnest(e_append, e_index, e_aggregate_type, e_aggregate_id) as s(append, index, type, id)
        where s.index = 1;
    head := before;
    for append in 1 .. cardinality(a_count) loop
        version := actual[append];
        if a_previous[append] > 0 then
            version := actual[a_previous[append]];
            if bases[a_previous[append]] >= 0 then
                version := version + a_count[a_previous[append]];
            end if;
            actual[append] := version;
        end if;
        if a_expected[append] = -1 or a_expected[append] = version then
            bases[append] := head;
            head := head + a_count[append];
        else
            bases[append] := -1;
        end if;
    end loop;
    if head > before then
        insert into events
            select bases[e.append] + e.index, e.id, e.service, e.aggregate_type, e.aggregate_id,
                actual[e.append] + e.index, e.type, e.version, e.data::jsonb, coalesce(e.metadata, '{}')::jsonb,
                coalesce(to_timestamp(e.occurred_at::double precision / 1000000), clock_timestamp()),
                e.correlation, e.causation
            from unnest(e_append, e_index, e_service, e_aggregate_type, e_aggregate_id, e_id, e_type, e_version, e_data,
                    e_metadata, e_occurred_at, e_correlation, e_causation)
                as e(append, index, service, aggregate_type, aggregate_id, id, type, version, data, metadata,
                    occurred_at, correlation, causation)
            where bases[e.append] >= 0;
        if tell then
            perform pg_notify('banyan_events', head::text);
        end if;
    end if;
end $$;
