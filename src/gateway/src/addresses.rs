//! `GET /`: where the parts of the platform are, for people and for programs.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use banyan_sdk::config::Config;
use serde_json::{Map, Value, json};

/// Names and addresses, in the order in which they were given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses(Vec<(String, String)>);

impl Addresses {
    /// Reads `name=url` pairs that are separated by white space; nothing when any of them is malformed. Logins are left
    /// out: the page is open to everybody.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split_whitespace()
            .map(|pair| {
                let (name, url) = pair.split_once('=')?;
                let (scheme, rest) = url.split_once("://")?;
                let wrong = name.is_empty()
                    || scheme.is_empty()
                    || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')
                    || rest.chars().any(char::is_control);
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
                (!wrong && !place.is_empty()).then(|| (name.to_owned(), format!("{scheme}://{place}{path}")))
            })
            .collect::<Option<_>>()
            .map(Self)
    }
}

struct Page {
    service: String,
    version: String,
    addresses: Addresses,
}

pub(crate) fn routes(config: &Config, addresses: Addresses) -> Router {
    let page = Page { service: config.service.clone(), version: config.version.clone(), addresses };
    Router::new().route("/", get(list)).with_state(Arc::new(page))
}

async fn list(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let answer = match wanted(accept.unwrap_or("*/*")) {
        Form::Json => Json(page.json()).into_response(),
        Form::Html => Html(page.html()).into_response(),
        Form::Text => page.text().into_response(),
    };
    ([(header::VARY, "accept")], answer).into_response()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Html,
    Text,
}

/// The form that an `Accept` header likes best; among equals the first, and JSON when it names none of ours.
fn wanted(accept: &str) -> Form {
    let mut best = (0.0, Form::Json);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => Form::Json,
            "text/html" | "application/xhtml+xml" => Form::Html,
            "text/plain" | "text/*" => Form::Text,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
        if weight > best.0 {
            best = (weight, form);
        }
    }
    best.1
}

impl Page {
    fn json(&self) -> Value {
        let addresses: Map<String, Value> =
            self.addresses.0.iter().map(|(name, url)| (name.clone(), url.as_str().into())).collect();
        json!({ "service": self.service, "version": self.version, "addresses": addresses })
    }

    fn text(&self) -> String {
        let widest = self.addresses.0.iter().map(|(name, _)| name.chars().count()).max();
        let width = widest.unwrap_or_default();
        let lines = self.addresses.0.iter();
        lines.map(|(name, url)| format!("{name:width$}  {url}\n")).collect()
    }

    fn html(&self) -> String {
        let rows: String = self.addresses.0.iter().map(|(name, url)| row(name, url)).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Banyan platform</title></head>\n\
             <body>\n<h1>Banyan platform</h1>\n<table>\n{rows}</table>\n<p>{} {}</p>\n</body>\n</html>\n",
            escaped(&self.service),
            self.version
        )
    }
}

fn row(name: &str, url: &str) -> String {
    let (name, shown) = (escaped(name), escaped(url));
    if url.starts_with("http://") || url.starts_with("https://") {
        format!("<tr><td>{name}</td><td><a href=\"{shown}\">{shown}</a></td></tr>\n")
    } else {
        format!("<tr><td>{name}</td><td>{shown}</td></tr>\n")
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(addresses: &str) -> Page {
        Page {
            service: "api-gateway".to_owned(),
            version: "1".to_owned(),
            addresses: Addresses::parse(addresses).unwrap(),
        }
    }

    #[test]
    fn pairs_are_read_in_order_and_without_logins() {
        let page = page("jaeger=http://127.0.0.1:16686\n postgres=postgresql://u:p@ss@127.0.0.1:55432/eventstore");
        assert_eq!(
            page.json()["addresses"].to_string(),
            r#"{"jaeger":"http://127.0.0.1:16686","postgres":"postgresql://127.0.0.1:55432/eventstore"}"#
        );
        assert_eq!(
            page.text(),
            "jaeger    http://127.0.0.1:16686\npostgres  postgresql://127.0.0.1:55432/eventstore\n"
        );
    }

    #[test]
    fn malformed_pairs_are_refused() {
        for text in ["x", "=http://h", "x=", "x=h", "x=://h", "x=http://", "x=http://u@", "a=http://h b"] {
            assert_eq!(Addresses::parse(text), None, "{text}");
        }
    }

    #[test]
    fn html_is_escaped_and_links_only_what_a_browser_opens() {
        let html = page("<b>=http://h/\"><script> bus=amqp://h").html();
        assert!(html.contains("<td>&lt;b&gt;</td><td><a href=\"http://h/&quot;&gt;&lt;script&gt;\">"), "{html}");
        assert!(html.contains("<td>bus</td><td>amqp://h</td>"), "{html}");
    }

    #[test]
    fn accept_chooses_the_form() {
        for (accept, form) in [
            ("*/*", Form::Json),
            ("", Form::Json),
            ("image/png", Form::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Html),
            ("text/plain", Form::Text),
            ("text/html;q=0.2, text/plain;q=0.7", Form::Text),
            ("text/html;q=0, */*", Form::Json),
        ] {
            assert_eq!(wanted(accept), form, "{accept}");
        }
    }
}
