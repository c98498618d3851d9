//! Tests of spans: what a collector really gets, and what it costs when there is none.

#![allow(clippy::unwrap_used)]

mod collector;
mod failing;

use banyan_sdk::{
    protocol::{Auth, Envelope, Kind, Metadata, Payload, Timestamp, TraceContext},
    telemetry::SpanKind,
};
use collector::{Collector, Service, attributes};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Sent;

fn parent(flags: u8) -> TraceContext {
    let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags:02x}");
    TraceContext::parse(&header, Some("vendor=1")).unwrap()
}

#[tokio::test]
async fn a_span_arrives_with_everything_that_is_known_of_it() {
    let collector = Collector::start().await;
    let service = Service::of(collector.address, 1.0);
    let mut span = service.tracer.span(SpanKind::Internal, "import", Some(&parent(1)));
    let context = span.context().clone();
    span.attribute("text", "a");
    span.attribute("number", 7_i64);
    span.attribute("ratio", 0.5);
    span.attribute("switch", true);
    span.attribute("texts", vec!["a".to_owned(), "b".to_owned()]);
    span.fail("TimeoutError", "no answer; password=hunter2");
    drop(span);
    service.shutdown().await;

    let [span] = collector.spans().try_into().unwrap();
    assert_eq!(span.name, "import");
    assert_eq!(span.kind(), Sent::Internal);
    assert_eq!(span.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert_eq!(span.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(span.span_id, context.span_id().to_be_bytes());
    assert_eq!(span.trace_state, "vendor=1");
    assert!(span.start_time_unix_nano > 0 && span.start_time_unix_nano <= span.end_time_unix_nano);
    let status = span.status.clone().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "no answer; password=***REDACTED***"));
    let expected = [
        ("error", "true"),
        ("error.kind", "TimeoutError"),
        ("error.message", "no answer; password=***REDACTED***"),
        ("number", "7"),
        ("ratio", "0.5"),
        ("switch", "true"),
        ("text", "a"),
        ("texts", "a,b"),
    ];
    let found = attributes(&span.attributes);
    assert_eq!(found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "user-service");
    assert_eq!(resource["service.version"], "1.2.3");
    assert_eq!(service.metric("telemetry_spans_exported_total"), 1);
    assert_eq!(service.metric("telemetry_spans_dropped_total"), 0);
}

#[tokio::test]
async fn the_context_of_a_span_is_the_parent_of_the_next() {
    let collector = Collector::start().await;
    let service = Service::of(collector.address, 1.0);
    let root = service.tracer.span(SpanKind::Server, "root", None);
    assert!(root.context().is_sampled());
    let child = service.tracer.span(SpanKind::Client, "child", Some(root.context()));
    assert_eq!(child.context().trace_id(), root.context().trace_id());
    let (root_id, child_id) = (root.context().span_id(), child.context().span_id());
    assert_ne!(root_id, child_id);
    drop((child, root));
    service.shutdown().await;
    let [child, root] = collector.spans().try_into().unwrap();
    assert_eq!((root.kind(), child.kind()), (Sent::Server, Sent::Client));
    assert_eq!(root.parent_span_id, Vec::<u8>::new());
    assert_eq!(child.parent_span_id, root_id.to_be_bytes());
    assert_eq!(child.span_id, child_id.to_be_bytes());
}

#[tokio::test]
async fn the_flags_of_the_trace_decide() {
    let collector = Collector::start().await;
    let service = Service::of(collector.address, 0.0);
    let quiet = service.tracer.span(SpanKind::Server, "quiet", Some(&parent(0)));
    assert!(!quiet.is_recorded());
    assert_eq!(quiet.context(), &parent(0));
    let root = service.tracer.span(SpanKind::Server, "root", None);
    assert!(!root.context().is_sampled());
    let loud = service.tracer.span(SpanKind::Server, "loud", Some(&parent(1)));
    drop((quiet, root, loud));
    service.shutdown().await;
    let names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["loud"]);
}

#[tokio::test]
async fn the_ratio_decides_about_traces_that_begin_here() {
    let collector = Collector::start().await;
    let service = Service::of(collector.address, 0.25);
    let recorded = (0..2_000).filter(|_| service.tracer.span(SpanKind::Server, "root", None).is_recorded()).count();
    service.shutdown().await;
    assert!((400..600).contains(&recorded), "{recorded}");
    assert_eq!(collector.spans().len(), recorded);
    assert!(collector.arrived() >= 1);
}

fn envelope(message_type: &str) -> Envelope {
    Envelope {
        id: "msg_1".to_owned(),
        correlation_id: "cor_1".to_owned(),
        trace_context: Some(parent(1)),
        timestamp: Timestamp::from_millis(0),
        service_name: "api-gateway".to_owned(),
        message_type: message_type.to_owned(),
        payload: Payload::of(&1).unwrap(),
        metadata: Metadata {
            auth: Some(Auth {
                user_id: "u1".to_owned(),
                permissions: vec!["users:read".to_owned(), "users:create".to_owned()],
                ..Auth::default()
            }),
            ..Metadata::default()
        },
        version: 1,
    }
}

#[tokio::test]
async fn messages_have_the_platforms_names() {
    let collector = Collector::start().await;
    let service = Service::of(collector.address, 1.0);
    let (command, query, event) = (envelope("CreateUserCommand"), envelope("GetUserQuery"), envelope("UserCreated"));
    drop(service.tracer.handling(Kind::Command, &command, "create_user"));
    drop(service.tracer.handling(Kind::Event, &event, "welcome"));
    drop(service.tracer.sending(Kind::Query, &query, "", "service.user-service.queries"));
    drop(service.tracer.sending(Kind::Event, &event, "exchange.platform.events", "user-service.usercreated"));
    service.shutdown().await;

    let spans = collector.spans();
    let seen: Vec<_> = spans.iter().map(|span| (span.name.as_str(), span.kind())).collect();
    assert_eq!(
        seen,
        [
            ("command/CreateUser", Sent::Server),
            ("event/UserCreated", Sent::Consumer),
            ("query/GetUser", Sent::Client),
            ("event/UserCreated", Sent::Producer),
        ]
    );
    let handled = attributes(&spans[0].attributes);
    for (key, value) in [
        ("operation.type", "command"),
        ("operation.name", "CreateUser"),
        ("correlation.id", "cor_1"),
        ("message.type", "CreateUserCommand"),
        ("handler.name", "create_user"),
        ("user.id", "u1"),
        ("permissions", "users:read,users:create"),
    ] {
        assert_eq!(handled[key], value, "{key}");
    }
    let sent = attributes(&spans[3].attributes);
    for (key, value) in [
        ("message.exchange", "exchange.platform.events"),
        ("message.routing_key", "user-service.usercreated"),
        ("message.correlation_id", "cor_1"),
    ] {
        assert_eq!(sent[key], value, "{key}");
    }
}
