//! Which path leads to which operation. Finding one does not take longer when there are more.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::{Method, StatusCode};
use banyan_sdk::protocol::Kind;

use super::documents::Documents;
use super::mapping::{self, Wish};
use crate::catalog::{Catalog, Operation};

/// Paths that belong to other doors.
const RESERVED: [&str; 1] = ["/api/events"];

/// The paths of a catalog.
pub(crate) struct Routes {
    served: Vec<Served>,
    /// By the whole path.
    paths: HashMap<String, Methods>,
    /// By the path without its last segment, which is a parameter.
    under: HashMap<String, Methods>,
    documents: Documents,
}

/// An operation and how it is reached.
pub(crate) struct Served {
    pub(crate) operation: Arc<Operation>,
    pub(crate) success: StatusCode,
    /// Where the things are that it is about.
    pub(crate) collection: Option<String>,
    /// The first one is how it should be called.
    pub(crate) ways: Vec<Wish>,
}

/// Method, operation and way; few, so that looking through them is the fastest.
type Methods = Vec<(Method, usize, usize)>;

/// What a method and a path lead to.
pub(crate) enum Found<'r, 'p> {
    Operation {
        served: &'r Served,
        /// The field in the path, and its value as it stands there.
        parameter: Option<(&'r str, &'p str)>,
    },
    /// Nothing with this method, but with these: the value of `Allow`.
    Other(String),
    Nothing,
}

impl Routes {
    /// Gives each operation its paths. One that two operations would like to have goes to the one that was known first;
    /// what begins with the name of a service goes to that service.
    pub(crate) fn new(catalog: &Arc<Catalog>) -> Self {
        let mut routes = Self {
            served: Vec::with_capacity(catalog.operations.len()),
            paths: HashMap::new(),
            under: HashMap::new(),
            documents: Documents::default(),
        };
        let mut wishes = Vec::with_capacity(catalog.operations.len());
        for (at, operation) in catalog.operations.iter().enumerate() {
            let mapping = mapping::map(&operation.contract, &operation.service);
            let (own, shared): (Vec<_>, Vec<_>) = mapping.wishes.into_iter().partition(|wish| wish.own);
            let own = own.into_iter().find(|wish| routes.is_free(wish, operation));
            routes.served.push(Served {
                operation: Arc::clone(operation),
                success: mapping.success,
                collection: mapping.collection,
                ways: Vec::with_capacity(shared.len() + 1),
            });
            if let Some(own) = &own {
                routes.note(own, at, 0);
            }
            wishes.push((shared, own));
        }
        for (at, (shared, own)) in wishes.into_iter().enumerate() {
            let operation = Arc::clone(&routes.served[at].operation);
            for wish in shared {
                if routes.is_free(&wish, &operation) {
                    routes.note(&wish, at, routes.served[at].ways.len());
                    routes.served[at].ways.push(wish);
                }
            }
            if let Some(own) = own {
                // its place among the ways is known only now
                let way = routes.served[at].ways.len();
                let known = routes.paths.get_mut(&own.path).into_iter().flatten();
                known.filter(|(method, of, _)| *method == own.method && *of == at).for_each(|it| it.2 = way);
                routes.served[at].ways.push(own);
            }
        }
        routes
    }

    /// What a method and a path as it came over the wire lead to.
    pub(crate) fn find<'p>(&self, method: &Method, path: &'p str) -> Found<'_, 'p> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let whole = self.paths.get(path);
        let split = path.rsplit_once('/').filter(|(_, last)| !last.is_empty());
        let under = split.and_then(|(before, last)| Some((self.under.get(before)?, last)));
        let by_method =
            |methods: &Methods| methods.iter().find(|(known, ..)| known == wanted).map(|(_, at, way)| (*at, *way));
        if let Some((at, _)) = whole.and_then(by_method) {
            return Found::Operation { served: &self.served[at], parameter: None };
        }
        if let Some(((at, way), last)) = under.and_then(|(methods, last)| Some((by_method(methods)?, last))) {
            let served = &self.served[at];
            let parameter = served.ways[way].parameter.as_deref().map(|name| (name, last));
            return Found::Operation { served, parameter };
        }
        let known: Vec<_> = whole.into_iter().chain(under.map(|(methods, _)| methods)).flatten().collect();
        if known.is_empty() {
            return Found::Nothing;
        }
        let listed = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
        let is_known = |method: &Method| {
            let method = if method == Method::HEAD { &Method::GET } else { method };
            known.iter().any(|(known, ..)| known == method)
        };
        let mut allow: String = listed.iter().filter(|it| is_known(it)).map(|it| format!("{it}, ")).collect();
        allow.push_str("OPTIONS");
        Found::Other(allow)
    }

    /// Where one thing of a collection is: the path before its id, and the field that has the id.
    pub(crate) fn place_of<'r>(&'r self, served: &'r Served) -> Option<(&'r str, &'r str)> {
        let collection = served.collection.as_deref()?;
        let (_, at, way) = self.under.get(collection)?.iter().find(|(method, ..)| *method == Method::GET)?;
        let get = &self.served[*at];
        let same = get.operation.service == served.operation.service;
        let field = get.ways[*way].parameter.as_deref().filter(|_| same)?;
        Some((collection, field))
    }

    /// All operations, in the order of the catalog.
    pub(crate) fn served(&self) -> &[Served] {
        &self.served
    }

    /// What was written of them for people and programs.
    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    fn is_free(&self, wish: &Wish, operation: &Operation) -> bool {
        let has = |methods: Option<&Methods>| methods.into_iter().flatten().any(|(method, ..)| *method == wish.method);
        if wish.parameter.is_some() {
            return !has(self.under.get(&wish.path));
        }
        // a path must not hide a thing of another service: `/api/users/search` the user whose id is `search`
        let around = wish.path.rsplit_once('/').and_then(|(before, _)| self.under.get(before));
        let hides = around
            .into_iter()
            .flatten()
            .any(|(method, at, _)| *method == wish.method && self.served[*at].operation.service != operation.service);
        !has(self.paths.get(&wish.path)) && !RESERVED.contains(&wish.path.as_str()) && (wish.own || !hides)
    }

    fn note(&mut self, wish: &Wish, at: usize, way: usize) {
        let paths = if wish.parameter.is_some() { &mut self.under } else { &mut self.paths };
        paths.entry(wish.path.clone()).or_default().push((wish.method.clone(), at, way));
    }
}

impl Served {
    /// Whether it changes nothing, so that its answer may be kept and asked for again.
    pub(crate) fn is_query(&self) -> bool {
        self.operation.kind() == Kind::Query
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rest::samples::{catalog, contract, operation, with_id};

    /// What a method and a path lead to: the message type and the parameter, or what is allowed.
    fn found(routes: &Routes, method: &str, path: &str) -> String {
        match routes.find(&method.parse().unwrap(), path) {
            Found::Operation { served, parameter } => {
                let contract = &served.operation.contract;
                let name = format!("{} of {}", contract.message_type, served.operation.service);
                parameter.map_or(name.clone(), |(field, value)| format!("{name} {field}={value}"))
            }
            Found::Other(allow) => allow,
            Found::Nothing => "nothing".to_owned(),
        }
    }

    fn users() -> Routes {
        Routes::new(&catalog([
            operation("user-service", contract("CreateUserCommand", json!({ "type": "object" }))),
            operation("user-service", contract("UpdateUserCommand", with_id("userId"))),
            operation("user-service", contract("GetUserQuery", with_id("id"))),
            operation("user-service", contract("ListUsersQuery", json!({ "type": "object" }))),
            operation("audit", contract("ListEventsQuery", json!({ "type": "object" }))),
        ]))
    }

    #[test]
    fn methods_and_paths_lead_to_operations() {
        let routes = users();
        for (method, path, expected) in [
            ("POST", "/api/users", "CreateUserCommand of user-service"),
            ("GET", "/api/users", "ListUsersQuery of user-service"),
            ("HEAD", "/api/users", "ListUsersQuery of user-service"),
            ("PUT", "/api/users", "GET, HEAD, POST, OPTIONS"),
            ("OPTIONS", "/api/users", "GET, HEAD, POST, OPTIONS"),
            ("GET", "/api/users/a%2Fb", "GetUserQuery of user-service id=a%2Fb"),
            ("PUT", "/api/users/1", "UpdateUserCommand of user-service userId=1"),
            ("DELETE", "/api/users/1", "GET, HEAD, PUT, OPTIONS"),
            ("GET", "/api/get-user", "GetUserQuery of user-service"),
            ("POST", "/api/update-user", "UpdateUserCommand of user-service"),
            ("GET", "/api/update-user", "POST, OPTIONS"),
            ("GET", "/api/user/get-user", "GetUserQuery of user-service"),
            ("GET", "/api/user-service/get-user", "GetUserQuery of user-service"),
            ("GET", "/api/users/", "nothing"),
            ("GET", "/api/users/1/2", "nothing"),
            ("GET", "/api/Users", "nothing"),
            ("GET", "/api/", "nothing"),
            ("GET", "", "nothing"),
            // the stream of events has that path
            ("GET", "/api/events", "nothing"),
            ("GET", "/api/list-events", "ListEventsQuery of audit"),
        ] {
            assert_eq!(found(&routes, method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_short_path_stays_with_who_had_it_first() {
        let get = || contract("GetUserQuery", with_id("id"));
        let routes = Routes::new(&catalog([operation("one", get()), operation("two-service", get())]));
        assert_eq!(found(&routes, "GET", "/api/users/1"), "GetUserQuery of one id=1");
        assert_eq!(found(&routes, "GET", "/api/get-user"), "GetUserQuery of one");
        assert_eq!(found(&routes, "GET", "/api/two/get-user"), "GetUserQuery of two-service");
        assert_eq!(found(&routes, "GET", "/api/two-service/get-user"), "GetUserQuery of two-service");
        let first: Vec<_> = routes.served().iter().map(|it| it.ways[0].path.as_str()).collect();
        assert_eq!(first, ["/api/users", "/api/two/get-user"]);
    }

    #[test]
    fn nobody_takes_what_belongs_to_a_service() {
        let mut thief = contract("StealQuery", json!({ "type": "object" }));
        thief.metadata.rest.insert("rest".to_owned(), json!({ "path": "/api/one/get-user" }));
        let get = contract("GetUserQuery", with_id("id"));
        let routes = Routes::new(&catalog([operation("thief", thief), operation("one", get)]));
        assert_eq!(found(&routes, "GET", "/api/one/get-user"), "GetUserQuery of one");
        // nor hides it things of another one
        let get = contract("GetUserQuery", with_id("id"));
        let search = contract("SearchQuery", json!({ "type": "object" }));
        let routes = Routes::new(&catalog([operation("one", get), operation("users-service", search)]));
        assert_eq!(found(&routes, "GET", "/api/users/search"), "GetUserQuery of one id=search");
        assert_eq!(found(&routes, "GET", "/api/users-service/search"), "SearchQuery of users-service");
    }

    #[test]
    fn names_that_become_the_same_stay_apart() {
        let get = |name: &str| operation("one", contract(name, json!({ "type": "object" })));
        let routes = Routes::new(&catalog([get("GetURLQuery"), get("GetUrlQuery"), get("GetUrlCommand")]));
        assert_eq!(found(&routes, "GET", "/api/one/get-url"), "GetURLQuery of one");
        assert_eq!(found(&routes, "GET", "/api/one/GetUrlQuery"), "GetUrlQuery of one");
        assert_eq!(found(&routes, "POST", "/api/one/get-url"), "GetUrlCommand of one");
    }

    #[test]
    fn created_things_have_a_place_where_they_can_be_got() {
        let routes = users();
        assert_eq!(routes.place_of(&routes.served()[0]), Some(("/api/users", "id")));
        let create = || contract("CreateUserCommand", json!({ "type": "object" }));
        let get = || contract("GetUserQuery", with_id("id"));
        for services in [["one", "two"], ["two", "one"]] {
            let routes = Routes::new(&catalog([operation(services[0], create()), operation(services[1], get())]));
            assert_eq!(routes.place_of(&routes.served()[0]), None);
        }
    }
}
