//! The page that a person sees who opens the address in a browser.

use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};

/// What the status page shows of a camera.
#[derive(Debug, Clone)]
pub struct StatusCamera {
    /// The name that people see.
    pub name: String,
    /// The name of each definition and its address.
    pub streams: Vec<(String, String)>,
}

/// Answers a request for the page.
pub fn status(request: &Request<Bytes>, cameras: &[StatusCamera]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    if request.method() == Method::GET || request.method() == Method::HEAD {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        *response.body_mut() = status_page(cameras).into();
    } else {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn status_page(cameras: &[StatusCamera]) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Belvedere</title>\
         <style>body{font:16px/1.5 sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}\
         td{padding:.2rem 1rem .2rem 0}code{user-select:all}</style><h1>Belvedere</h1>",
    );
    for camera in cameras {
        page.push_str(&format!("<h2>{}</h2><table>", escape(&camera.name)));
        for (definition, address) in &camera.streams {
            page.push_str(&format!("<tr><td>{}<td><code>{}</code>", escape(definition), escape(address)));
        }
        page.push_str("</table>");
    }
    page.push_str("<p>Play an address with any RTSP client; it asks for your user name and password.</p></html>");
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
