//! What a node is asked, in Erlang, and how its answers are read.

use super::{Counted, Tally};

/// `S()` writes down what the node would write down a little later than it says so. What is confirmed is on disk; a
/// classic queue that nobody waits for keeps the rest in memory until it is idle.
pub const WRITTEN: &str = r#"S = fun() ->
F = fun(_, B) -> rabbit_variable_queue:handle_pre_hibernate(B) end,
[catch rabbit_amqqueue:run_backing_queue(amqqueue:get_pid(Q), rabbit_variable_queue, F)
    || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_classic_queue],
catch disk_log:sync(latest_log), [catch dets:sync(T) || T <- dets:all()] end,"#;

/// `C()` prints a line for every durable queue that is not bound to one connection. Names are in hexadecimal, so that no
/// name can look like something else. What a quorum queue tells of itself is some seconds old; its log is not, and the
/// place in it grows with every message. A classic queue numbers the messages that come in. The messages of a stream are
/// no matter of acknowledgements. All lines are printed at once: each time, the node waits for whoever asks.
pub const COUNT: &str = r#"
C = fun() -> io:put_chars([begin
    I = rabbit_amqqueue:info(Q, [name, durable, exclusive, messages, messages_persistent, backing_queue_status]),
    {resource, V, queue, N} = proplists:get_value(name, I),
    {M, P, F} = case amqqueue:get_type(Q) of
        rabbit_quorum_queue ->
            Y = fun rabbit_fifo:query_messages_total/1,
            {ok, {{R, _}, T}, _} = ra:leader_query(amqqueue:get_pid(Q), Y), {T, T, R};
        rabbit_classic_queue ->
            L = case proplists:get_value(backing_queue_status, I) of B when is_list(B) -> B; _ -> [] end,
            {proplists:get_value(messages, I), proplists:get_value(messages_persistent, I),
             proplists:get_value(next_seq_id, L, none)};
        _ -> {proplists:get_value(messages, I), 0, none}
    end,
    A = amqqueue:get_arguments(Q),
    G = lists:keymember(<<"x-expires">>, 1, A),
    E = G orelse lists:keymember(<<"x-message-ttl">>, 1, A) orelse
        lists:any(fun(K) -> rabbit_policy:get(K, Q) =/= undefined end, [<<"message-ttl">>, <<"expires">>]),
    case {proplists:get_value(durable, I), proplists:get_value(exclusive, I)} of
        {true, O} when O =/= true ->
            io_lib:format("banyan queue ~s ~s ~w ~w ~w ~w ~w~n", [binary:encode_hex(V), binary:encode_hex(N), M, P, F, E, G]);
        _ -> []
    end
end || Q <- rabbit_amqqueue:list()]) end,"#;

/// Says that the answer is whole.
pub const END: &str = r#"io:format("banyan end~n")"#;

/// `D()` prints a digest of all that is defined in the node: who may log in and do what, queues, exchanges, bindings,
/// policies. It is the same for two nodes that differ in nothing of that; maps and lists of maps have no order. Left out:
/// the default user's password, which is whatever the container says, queues that go away by themselves, and bindings of
/// those and of others that go with their connection. A node that cannot tell prints nothing.
pub const DEFINED: &str = r#"
D = fun() -> catch begin
A = rabbit_definitions:all_definitions(),
U = case os:getenv("RABBITMQ_DEFAULT_USER") of false -> none; T -> unicode:characters_to_binary(T) end,
Ls = [Q || Q <- maps:get(queues, A),
    case maps:get(<<"arguments">>, Q) of #{<<"x-expires">> := _} -> false; _ -> true end],
Qs = [{maps:get(<<"vhost">>, Q), maps:get(<<"name">>, Q)} || Q <- Ls],
Bs = [B || B <- maps:get(bindings, A), maps:get(<<"destination_type">>, B) =/= <<"queue">> orelse
    lists:member({maps:get(<<"vhost">>, B), maps:get(<<"destination">>, B)}, Qs)],
Us = [case maps:get(<<"name">>, O) of
    U -> maps:without([<<"password_hash">>, <<"hashing_algorithm">>], O);
    _ -> O end || O <- maps:get(users, A)],
N = fun N(M) when is_map(M) -> lists:sort([{K, N(V)} || {K, V} <- maps:to_list(M)]);
    N(L = [M | _]) when is_map(M) -> lists:sort([N(X) || X <- L]);
    N(X) -> X end,
W = N(maps:without([rabbit_version, rabbitmq_version], A#{bindings := Bs, users := Us, queues := Ls})),
io:format("banyan defined ~64.16.0b~n", [binary:decode_unsigned(crypto:hash(sha256, term_to_binary(W)))])
end end,"#;

/// Takes all messages out of all durable queues; a stream has none to take.
pub const EMPTY: &str = "[catch rabbit_amqqueue:purge(Q) || Q <- rabbit_amqqueue:list(), amqqueue:is_durable(Q)], ok.";

/// Prints what has expired in all queues.
pub const EXPIRED: &str = r#"
case catch rabbit_global_counters:overview() of
    O when is_map(O) -> io:format("banyan expired ~w~n",
        [lists:sum([maps:get(messages_dead_lettered_expired_total, M, 0) || M <- maps:values(O)])]);
    _ -> io:format("banyan expired none~n")
end."#;

/// Reads what `D()` printed.
pub fn defined(text: &str) -> Option<String> {
    text.lines().find_map(|l| l.strip_prefix("banyan defined ")).map(str::to_owned)
}

/// Reads what `C()` printed, up to `END`; `None` when it is not whole.
pub fn tally(text: &str) -> Option<Tally> {
    text.lines().any(|l| l == "banyan end").then_some(())?;
    let lines = text.lines().filter_map(|l| l.strip_prefix("banyan queue "));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            // the name may be empty, and then its hexadecimal is, too
            let queue = (unhex(words.next()?)?, unhex(words.next()?)?);
            let (messages, persistent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let flow = words.next()?;
            let flow = if flow == "none" { None } else { Some(flow.parse().ok()?) };
            let (expires, goes) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((queue, Counted { messages, persistent, flow, expires, goes }))
        })
        .collect()
}

fn unhex(text: &str) -> Option<String> {
    let digits = |i: usize| u8::from_str_radix(text.get(i..i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
    Some(String::from_utf8_lossy(&bytes?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(messages: u64, persistent: u64, flow: Option<u64>, (expires, goes): (bool, bool)) -> Counted {
        Counted { messages, persistent, flow, expires, goes }
    }

    #[test]
    fn queues_are_read_whatever_their_names() {
        let text = "banyan queue 2f 6f7264657273 12 11 400 false false\nbanyan queue 2f c3a40a20 0 0 none true true\n\
                    banyan queue 2F 6C61746572 3 3 7 true false\nbanyan end\nok\n";
        let name = |name: &str| ("/".to_owned(), name.to_owned());
        let expected = Tally::from([
            (name("orders"), counted(12, 11, Some(400), (false, false))),
            (name("ä\n "), counted(0, 0, None, (true, true))),
            (name("later"), counted(3, 3, Some(7), (true, false))),
        ]);
        assert_eq!(tally(text), Some(expected));
        assert_eq!(tally("banyan queue 2f 6f 12 12 1 false false\n"), None, "cut off");
        assert_eq!(tally("banyan queue 2f 6f undefined 1 1 false false\nbanyan end\n"), None);
    }

    #[test]
    fn what_is_defined_is_a_word() {
        assert_eq!(defined("banyan defined 0a1b\nbanyan end\n").as_deref(), Some("0a1b"));
        assert_eq!(defined("{'EXIT',undef}\nbanyan end\n"), None);
    }
}
