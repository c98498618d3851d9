//! What every request passes before anything else sees it: is it meant for this gateway, may the page that sends it, and
//! whose is it. And what every answer tells a browser.

mod headers;
mod hosts;
mod networks;
mod origins;
mod verdict;

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::Response,
};
use banyan_sdk::config::Reader;

use hosts::Hosts;
use networks::Networks;
use origins::Origins;
use verdict::Verdict;

/// What the environment says of who may ask.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    hosts: Hosts,
    origins: Origins,
    proxies: Networks,
}

/// What is known of a request that was let through; handlers get it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Where it comes from, behind the proxies that are trusted.
    pub(crate) address: IpAddr,
    /// Whether a page of another origin sent it.
    pub(crate) foreign: bool,
}

impl Guard {
    /// Reads the settings of the gateway that is called `service`.
    pub(crate) fn read(reader: &mut Reader<'_>, service: &str) -> Option<Self> {
        let hosts = reader.parsed_or(
            "GATEWAY_HOSTS",
            "host names or addresses without ports, separated by commas",
            Hosts::parse,
            Hosts::default(),
        );
        let origins = reader.parsed_or(
            "CORS_ORIGINS",
            "origins such as https://app.example.com, separated by commas; `*` and `null` are none",
            Origins::parse,
            Origins::default(),
        );
        let proxies = reader.parsed_or(
            "TRUSTED_PROXIES",
            "addresses or networks such as 10.0.0.0/8, separated by commas",
            Networks::parse,
            Networks::default(),
        );
        Some(Self { hosts: hosts?.with(service), origins: origins?, proxies: proxies? })
    }

    /// The routes behind this guard.
    pub(crate) fn around(self: Arc<Self>, routes: Router) -> Router {
        routes.layer(middleware::from_fn_with_state(self, pass))
    }
}

async fn pass(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    // Who is not known is nobody's neighbour.
    let verdict = verdict::judge(&guard, &parts, peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()));
    let mut response = match &verdict {
        Verdict::Pass { admitted, trusted, .. } => {
            headers::take_out(&mut parts.headers, *admitted, *trusted);
            parts.extensions.insert(*admitted);
            next.run(Request::from_parts(parts, body)).await
        }
        Verdict::Preflight(_) => headers::preflight(),
        Verdict::Refuse(refusal) => headers::refused(*refusal, &parts.headers),
    };
    headers::complete(response.headers_mut(), verdict.shared_with(), !guard.origins.is_empty());
    response
}
