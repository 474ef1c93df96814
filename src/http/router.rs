//! From a path to what answers there.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::{Request, Response};

/// Where a request came from and which of our addresses it came to; in the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub peer: SocketAddr,
    /// The address that the client contacted.
    pub local: SocketAddr,
}

/// Answers requests whose body was read.
pub type Handler = Arc<dyn Fn(Ends, Request<Bytes>) -> BoxFuture<'static, Response<Bytes>> + Send + Sync>;

/// Paths with what answers there.
#[derive(Clone, Default)]
pub struct Router {
    routes: Vec<Route>,
}

#[derive(Clone)]
struct Route {
    path: String,
    max_body: usize,
    handler: Handler,
}

impl Router {
    /// Adds a path. One that ends with `/` stands for everything below it, except for `/` itself.
    #[must_use]
    pub fn route(mut self, path: &str, max_body: usize, handler: Handler) -> Self {
        self.routes.push(Route { path: path.to_owned(), max_body, handler });
        self
    }

    /// Finds what answers a path, and how large a body it takes, in bytes.
    pub(super) fn find(&self, path: &str) -> Option<(&Handler, usize)> {
        let route = self.routes.iter().find(|route| {
            route.path == path || (route.path.len() > 1 && route.path.ends_with('/') && path.starts_with(&route.path))
        })?;
        Some((&route.handler, route.max_body))
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|route| &route.path)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_stands_for_all_below() {
        let handler: Handler = Arc::new(|_, _| Box::pin(std::future::ready(Response::default())));
        let router = Router::default().route("/", 1, Arc::clone(&handler)).route("/onvif/", 2, handler);
        let body = |path: &str| router.find(path).map(|(_, max_body)| max_body);
        assert_eq!(
            [body("/"), body("/onvif/x"), body("/onvif"), body("/x"), body("/onvif/")],
            [Some(1), Some(2), None, None, Some(2)]
        );
    }
}
