-- `append_events` for one append of one event, which is what a caller alone has: nothing to take apart and put together.
--
-- `base` is the position before the event, -1 when the stream was not at the version `expected`, for which -1 stands for
-- any; `actual` is the version that the stream had before it.
create function append_event(
    expected integer, e_service text, e_aggregate_type text, e_aggregate_id text, e_id uuid, e_type text,
    e_version integer, e_data text, e_metadata text, e_occurred_at bigint, e_correlation text, e_causation text,
    tell boolean,
    out base bigint, out actual integer
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
begin
    perform pg_advisory_xact_lock(7089054353921802852);
    actual := coalesce((
        select version from events where aggregate_type = e_aggregate_type and aggregate_id = e_aggregate_id
        order by version desc limit 1
    ), 0);
    if expected not in (-1, actual) then
        base := -1;
        return;
    end if;
    insert into events
        values ((select coalesce(max(position), 0) + 1 from events), e_id, e_service, e_aggregate_type, e_aggregate_id,
            actual + 1, e_type, e_version, e_data::jsonb, coalesce(e_metadata, '{}')::jsonb,
            coalesce(to_timestamp(e_occurred_at::double precision / 1000000), clock_timestamp()), e_correlation,
            e_causation)
        returning position - 1 into base;
    if tell then
        perform pg_notify('banyan_events', (base + 1)::text);
    end if;
end $$;
