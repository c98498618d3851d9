//! Who asks.

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use axum::http::{HeaderMap, header};
use banyan_sdk::{
    Fault, FaultCode,
    protocol::{
        Auth, Contract,
        permission::{self, Permissions},
    },
    tokens::{TokenError, Verifier},
};
use serde_json::json;

/// What the details of a fault call the reason for a 401.
pub(crate) const REASON: &str = "reason";
const DEVELOPER: &str = "x-dev-user-id";
const DEVELOPERS_PERMISSIONS: &str = "x-dev-permissions";

/// Who asks, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Who it is; none for anonymous callers.
    pub auth: Option<Arc<Auth>>,
    /// Whether `*` among the permissions stands for anything: in development only.
    pub wildcards: bool,
    /// When that ends, in seconds since 1970; none for callers without a token.
    pub expires: Option<u64>,
    /// Where the request comes from.
    pub address: IpAddr,
}

impl Caller {
    pub const fn anonymous(address: IpAddr) -> Self {
        Self { auth: None, wildcards: false, expires: None, address }
    }

    /// The check in front of every contract.
    pub fn admit(&self, contract: &Contract) -> Result<(), Fault> {
        if self.wildcards && self.auth.is_some() && self.may(&contract.required_permissions) {
            return Ok(());
        }
        contract.admit(self.auth.as_deref()).map_err(|fault| match fault.code {
            FaultCode::Unauthorized => unauthorized("NO_AUTH_HEADER", fault.message),
            _ => fault,
        })
    }

    /// Whether they hold all of these permissions; nobody does who is not known.
    pub fn may(&self, required: &[String]) -> bool {
        let Some(auth) = &self.auth else { return false };
        let held = if self.wildcards { Permissions::with_wildcards } else { Permissions::exact };
        held(&auth.permissions).allows(required)
    }

    /// Whom the service is told of that handles `contract`. There, permissions match exactly.
    pub fn auth_for(&self, contract: &Contract) -> Option<Arc<Auth>> {
        let auth = self.auth.as_ref()?;
        let covered = |it: &&String| self.wildcards && !auth.permissions.contains(it);
        let added: Vec<String> = contract.required_permissions.iter().filter(covered).cloned().collect();
        if added.is_empty() {
            return Some(Arc::clone(auth));
        }
        let permissions = auth.permissions.iter().cloned().chain(added).collect();
        Some(Arc::new(Auth { permissions, ..Auth::clone(auth) }))
    }

    /// What their requests are counted under.
    pub fn key(&self) -> String {
        match &self.auth {
            Some(auth) => format!("user:{}", auth.user_id),
            None => format!("address:{}", self.address),
        }
    }
}

/// Finds out who asks.
pub struct Who {
    verifier: Verifier,
    development: bool,
}

impl Who {
    pub(crate) fn new(verifier: Verifier, development: bool) -> Self {
        Self { verifier, development }
    }

    /// Whether the headers of development mode count.
    pub(crate) fn is_development(&self) -> bool {
        self.development
    }

    /// Who sent these headers. `foreign` are those of a page that is not ours: nobody is taken for a developer by them.
    pub(crate) async fn of(&self, headers: &HeaderMap, address: IpAddr, foreign: bool) -> Result<Caller, Fault> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        if self.development && !foreign {
            let developer = text(DEVELOPER).filter(|id| !id.is_empty());
            if let Some(id) = developer {
                return Ok(developer_of(id, text(DEVELOPERS_PERMISSIONS).unwrap_or_default(), address));
            }
        }
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = given.next() else { return Ok(Caller::anonymous(address)) };
        let scheme = value.to_str().ok().and_then(|text| text.trim().split_once(' '));
        match scheme {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && given.next().is_none() => {
                self.holder_of(token.trim(), address).await
            }
            _ => Err(unauthorized("INVALID_TOKEN", "send one `Authorization: Bearer` with an access token")),
        }
    }

    /// Whom an access token speaks for.
    pub(crate) async fn holder_of(&self, token: &str, address: IpAddr) -> Result<Caller, Fault> {
        let verified = self.verifier.verify(token, SystemTime::now()).await.map_err(|error| match error {
            TokenError::Expired => unauthorized("TOKEN_EXPIRED", error.to_string()),
            TokenError::Unreachable(_) => Fault::from(error),
            _ => unauthorized("INVALID_TOKEN", error.to_string()),
        })?;
        let auth = Some(Arc::new(verified.auth.clone()));
        Ok(Caller { auth, wildcards: false, expires: Some(verified.expires), address })
    }
}

/// The developer whom the headers of development mode name.
pub(crate) fn developer_of(id: &str, permissions: &str, address: IpAddr) -> Caller {
    let permissions = permissions.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned);
    let auth = Auth {
        user_id: id.to_owned(),
        email: Some(format!("{id}@development.local")),
        name: Some(format!("Development User {id}")),
        permissions: permissions.collect(),
        ..Auth::default()
    };
    Caller { auth: Some(Arc::new(auth)), wildcards: true, expires: None, address }
}

/// A 401 with its reason.
pub(crate) fn unauthorized(reason: &str, message: impl Into<String>) -> Fault {
    Fault::unauthorized(message).with_details(json!({ REASON: reason }))
}

/// Refuses who does not hold `required`, as for a contract of the gateway's own.
pub(crate) fn require(caller: &Caller, required: &str) -> Result<(), Fault> {
    if caller.may(&[required.to_owned()]) {
        return Ok(());
    }
    permission::admit(false, &[required], caller.auth.as_deref()).map_err(|fault| match fault.code {
        FaultCode::Unauthorized => unauthorized("NO_AUTH_HEADER", fault.message),
        _ => fault,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(permissions: &[&str], public: bool) -> Contract {
        serde_json::from_value(json!({
            "messageType": "DoCommand", "targetService": "a", "description": "d", "version": "1.0.0",
            "inputSchema": {}, "outputSchema": {}, "requiredPermissions": permissions, "isPublic": public,
        }))
        .unwrap()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn wildcards_are_for_developers_and_services_hear_the_exact_permission() {
        let (any, exact) = (contract(&[], false), contract(&["users:create"], false));
        let developer = developer_of("ann", " users:* ,, ", HERE);
        assert!(developer.admit(&any).is_ok() && developer.admit(&exact).is_ok());
        assert!(developer.admit(&contract(&["orders:read"], false)).is_err());
        assert_eq!(developer.auth_for(&exact).unwrap().permissions, ["users:*", "users:create"]);
        let user = Caller { wildcards: false, ..developer.clone() };
        assert!(user.admit(&any).is_ok());
        assert_eq!(user.admit(&exact).unwrap_err().code, FaultCode::Authorization);
        assert_eq!(user.auth_for(&exact).unwrap().permissions, ["users:*"]);
    }

    #[test]
    fn who_is_not_known_may_do_what_is_public() {
        let anonymous = Caller::anonymous(HERE);
        assert!(anonymous.admit(&contract(&[], true)).is_ok());
        let refused = anonymous.admit(&contract(&[], false)).unwrap_err();
        assert_eq!(refused.details.unwrap()[REASON], "NO_AUTH_HEADER");
        assert!(!anonymous.may(&[]));
        assert_eq!(anonymous.key(), "address:127.0.0.1");
        assert_eq!(require(&anonymous, "admin:x").unwrap_err().code, FaultCode::Unauthorized);
        let developer = developer_of("ann", "admin:*", HERE);
        assert!(require(&developer, "admin:x").is_ok());
        assert_eq!(require(&developer, "other:x").unwrap_err().code, FaultCode::Authorization);
    }
}
