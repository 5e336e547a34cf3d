//! Finds the endpoint of a request: a tree of path segments, made once from the endpoints' paths.

use std::{cell::OnceCell, collections::HashMap, rc::Rc};

use http::Method;
use hubbub_core::error::{MatrixError, Result};
use percent_encoding::percent_decode_str;

use crate::{endpoint::Endpoint, endpoints};

/// An endpoint and the percent-decoded arguments of its path.
pub(crate) struct Match {
    pub endpoint: Rc<Endpoint>,
    pub arguments: Vec<String>,
}

/// A segment of known paths: what may follow, and who answers when the path ends here.
#[derive(Default)]
struct Node {
    literals: HashMap<&'static str, Node>,
    variable: Option<Box<Node>>,
    endpoints: Vec<Rc<Endpoint>>,
}

impl Node {
    fn insert(&mut self, path: &'static str, endpoint: &Rc<Endpoint>) {
        let mut node = self;
        for segment in path.split('/') {
            node = if segment.starts_with('{') {
                node.variable.get_or_insert_default()
            } else {
                node.literals.entry(segment).or_default()
            };
        }
        node.endpoints.push(Rc::clone(endpoint));
    }

    /// The node at the end of these segments; a literal wins over a variable. The values of
    /// variables are pushed to `arguments`.
    fn walk<'a>(&self, segments: &[&'a str], arguments: &mut Vec<&'a str>) -> Option<&Self> {
        let Some((segment, rest)) = segments.split_first() else {
            return (!self.endpoints.is_empty()).then_some(self);
        };
        let literal = self.literals.get(*segment);
        if let Some(found) = literal.and_then(|node| node.walk(rest, arguments)) {
            return Some(found);
        }
        let before = arguments.len();
        arguments.push(segment);
        let found = self.variable.as_ref()?.walk(rest, arguments);
        if found.is_none() {
            arguments.truncate(before);
        }
        found
    }
}

thread_local! {
    static ROOT: OnceCell<Rc<Node>> = const { OnceCell::new() };
}

fn root() -> Rc<Node> {
    ROOT.with(|root| {
        let root = root.get_or_init(|| {
            let mut root = Node::default();
            for endpoint in endpoints::all() {
                let endpoint = Rc::new(endpoint);
                for path in endpoint.paths.iter().copied() {
                    root.insert(path, &endpoint);
                }
            }
            Rc::new(root)
        });
        Rc::clone(root)
    })
}

/// What the specification has between servers at addresses that clients' tests look at: other methods are refused
/// there as elsewhere, though the server does not federate.
const BETWEEN_SERVERS: [(Method, &str); 2] =
    [(Method::GET, "/_matrix/federation/v1/version"), (Method::POST, "/_matrix/key/v2/query")];

/// The endpoint for a method and path.
///
/// An unknown path is 404 `M_UNRECOGNIZED`, a known one with another method 405 `M_UNRECOGNIZED`
/// ([spec](https://spec.matrix.org/v1.11/client-server-api/#api-standards)). A trailing slash may
/// be left out or added: clients do both.
pub(crate) fn find(method: &Method, path: &str) -> Result<Match> {
    let root = root();
    let mut arguments = Vec::new();
    let mut segments: Vec<&str> = path.split('/').collect();
    let mut node = root.walk(&segments, &mut arguments);
    if node.is_none() {
        if segments.last() == Some(&"") {
            segments.pop();
        } else {
            segments.push("");
        }
        node = root.walk(&segments, &mut arguments);
    }
    let node = node.ok_or_else(|| {
        let is_known = BETWEEN_SERVERS.iter().any(|(known, at)| *at == path && known != method);
        unrecognized(if is_known { 405 } else { 404 })
    })?;
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let endpoint =
        node.endpoints.iter().find(|endpoint| endpoint.method == *wanted).ok_or_else(|| unrecognized(405))?;
    let arguments = arguments.into_iter().map(decode).collect::<Result<_>>()?;
    Ok(Match { endpoint: Rc::clone(endpoint), arguments })
}

fn decode(segment: &str) -> Result<String> {
    let decoded = percent_decode_str(segment).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| MatrixError::invalid_param("The path is not valid UTF-8."))
}

fn unrecognized(status: u16) -> MatrixError {
    MatrixError::new(status, "M_UNRECOGNIZED", "This server does not know this request.")
}
