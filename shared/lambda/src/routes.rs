//! The methods of the API, and which scopes each asks for: the authorizer opens a method by this table, and the function behind it asks the
//! same table again.
//!
//! Invariant: a method that is in neither table is refused to everybody, and none is in both. A test holds the tables against the template's
//! methods.

/// What a token may be allowed, of all that an issuer may write into one. The functions behind the methods hear of no other.
pub const SCOPES: [&str; 7] =
    ["crm:write", "dsar:read", "gold:read", "lineage:read", REQUEST_APPROVE, REQUEST_VERIFY, REQUEST_WRITE];

/// A method of the API, and the scopes of which a token must have one.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The HTTP method.
    pub method: &'static str,
    /// The path as the template spells it, with its parameters in braces.
    pub path: &'static str,
    /// Any of these lets a caller in.
    pub scopes: &'static [&'static str],
}

/// Every method that is not open.
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: "/api/v1/compliance/dsar/audit-trail", scopes: &["dsar:read"] },
    Route { method: "POST", path: "/api/v1/compliance/rtbf", scopes: &[REQUEST_WRITE] },
    Route { method: "POST", path: "/api/v1/compliance/requests", scopes: &[REQUEST_WRITE] },
    Route { method: "GET", path: "/api/v1/compliance/requests", scopes: ANY_OF_REQUESTS },
    Route { method: "GET", path: "/api/v1/compliance/requests/{id}", scopes: ANY_OF_REQUESTS },
    Route { method: "GET", path: "/api/v1/compliance/requests/{id}/preview", scopes: ANY_OF_REQUESTS },
    Route { method: "POST", path: "/api/v1/compliance/requests/{id}/verify", scopes: &[REQUEST_VERIFY] },
    Route { method: "POST", path: "/api/v1/compliance/requests/{id}/approve", scopes: &[REQUEST_APPROVE] },
    Route { method: "POST", path: "/api/v1/compliance/requests/{id}/cancel", scopes: &[REQUEST_WRITE] },
    Route { method: "POST", path: "/api/v1/compliance/requests/{id}/extend", scopes: &[REQUEST_WRITE] },
    Route {
        method: "POST",
        path: "/api/v1/compliance/requests/{id}/refuse",
        scopes: &[REQUEST_VERIFY, REQUEST_APPROVE],
    },
    Route { method: "GET", path: "/api/v2/analytics/gold/summary", scopes: &["gold:read"] },
    Route { method: "POST", path: "/api/v1/reference/crm", scopes: &["crm:write"] },
];

/// Every method that is open to the network: HTTP method and path. The function behind it checks its callers itself.
pub const OPEN: [(&str, &str); 3] =
    [("POST", "/api/v1/ingest"), ("POST", "/api/v1/ingest/{pathToken}"), ("POST", "/api/v1/audit-events")];

const REQUEST_APPROVE: &str = "request:approve";
const REQUEST_VERIFY: &str = "request:verify";
const REQUEST_WRITE: &str = "request:write";
const ANY_OF_REQUESTS: &[&str] = &[REQUEST_WRITE, REQUEST_VERIFY, REQUEST_APPROVE];

impl Route {
    /// The route of a method and a resource, as API Gateway names them.
    pub fn find(method: &str, resource: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.method == method && route.path == resource)
    }

    /// The route of a method and a path, as a caller writes it, without stage, base path and slash at its end.
    pub fn of_path(method: &str, path: &str) -> Option<&'static Self> {
        let fits = |route: &&Self| {
            let (known, asked) = (route.path.split('/'), path.split('/'));
            route.method == method
                && known.clone().count() == asked.clone().count()
                && known.zip(asked).all(|(known, asked)| known == asked || known.starts_with('{') && !asked.is_empty())
        };
        ROUTES.iter().find(fits)
    }

    /// The methods of this route in the API and stage that a method's ARN is of, as a policy names them. Nothing of the caller's path is
    /// in it, which could hold what a policy takes for a wildcard.
    pub fn resource(&self, method_arn: &str) -> Option<String> {
        let (api, rest) = method_arn.split_once('/')?;
        let (stage, _) = rest.split_once('/')?;
        let parts = self.path.split('/').map(|part| if part.starts_with('{') { "*" } else { part });
        Some(format!("{api}/{stage}/{}{}", self.method, parts.collect::<Vec<_>>().join("/")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_stands_once_and_asks_for_a_known_scope() {
        for (at, route) in ROUTES.iter().enumerate() {
            assert!(!route.scopes.is_empty() && route.scopes.iter().all(|scope| SCOPES.contains(scope)), "{route:?}");
            let same = ROUTES.iter().filter(|other| (other.method, other.path) == (route.method, route.path)).count();
            assert_eq!(same, 1, "{at}: {route:?}");
        }
    }

    #[test]
    fn no_open_method_asks_for_a_scope() {
        for (method, path) in OPEN {
            assert!(Route::find(method, path).is_none() && Route::of_path(method, path).is_none(), "{method} {path}");
        }
    }

    #[test]
    fn a_path_leads_to_the_route_that_the_template_spells() {
        for route in ROUTES {
            let path = route.path.replace("{id}", "req_0f");
            let found = Route::of_path(route.method, &path).unwrap();
            assert_eq!((found.method, found.path), (route.method, route.path));
            for (method, path) in
                [("PUT", path.clone()), (route.method, format!("{path}/")), (route.method, format!("/live{path}"))]
            {
                assert!(Route::of_path(method, &path).is_none(), "{method} {path}");
            }
        }
        for path in ["", "/", "/api/v1/compliance/requests//verify", "/api/v1/compliance/requests/x/delete"] {
            assert!(Route::of_path("POST", path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_policy_names_the_route_and_nothing_that_was_typed() {
        let route = Route::find("POST", "/api/v1/compliance/requests/{id}/verify").unwrap();
        let arn = "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3/live/POST/api/v1/compliance/requests/*/approve";
        let expected =
            "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3/live/POST/api/v1/compliance/requests/*/verify";
        assert_eq!(route.resource(arn).as_deref(), Some(expected));
        for broken in ["", "arn", "arn/live"] {
            assert_eq!(route.resource(broken), None, "{broken}");
        }
    }
}
