//! A server behind the recording proxy.

use anyhow::Result;
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::soap::{Answer, DEVICE, Request, TDS, Token};
use belvedere_harness::{Options, Proxy, Server, Turn};

/// The administrator.
pub(crate) const ADMIN: (&str, &str) = (USER, PASSWORD);
/// A user of the level Operator, once [`Site::create_users`] was called.
pub(crate) const OPERATOR: (&str, &str) = ("operator", "Fence-31-operator");
/// A user of the level User.
pub(crate) const VIEWER: (&str, &str) = ("viewer", "Fence-32-viewer");

/// The server, and the proxy that everybody here talks to.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) proxy: Proxy,
    _turn: Turn,
}

impl Site {
    /// Opens a site with the test pattern.
    pub(crate) fn open(turn: Turn) -> Result<Self> {
        Self::with(turn, &Options::default())
    }

    /// Opens a site with a server that is started so.
    pub(crate) fn with(turn: Turn, options: &Options) -> Result<Self> {
        Self::of(turn, Server::start(options)?)
    }

    fn of(turn: Turn, server: Server) -> Result<Self> {
        let proxy = Proxy::start(&server.http()?)?;
        Ok(Self { server, proxy, _turn: turn })
    }

    /// Kills the server and starts it again on its state; what was recorded so far is gone.
    pub(crate) fn killed_and_restarted(self) -> Result<Self> {
        Self::of(self._turn, self.server.killed_and_restarted()?)
    }

    /// Sends a request.
    pub(crate) fn send(&self, request: &Request) -> Result<Answer> {
        request.send(self.proxy.address())
    }

    /// Sends a request of the administrator.
    pub(crate) fn ask(&self, request: Request) -> Result<Answer> {
        self.send(&request.token(&Token::new(ADMIN)?))
    }

    /// Asks the device service for something that needs no arguments, as the administrator.
    pub(crate) fn device(&self, operation: &str) -> Result<Answer> {
        self.ask(Request::operation(DEVICE, TDS, operation))?.done()
    }

    /// The path of a service, by its namespace.
    pub(crate) fn path(&self, namespace: &str) -> Result<Option<String>> {
        let body = format!("<GetServices xmlns=\"{TDS}\"><IncludeCapability>false</IncludeCapability></GetServices>");
        let answer = self.send(&Request::body(DEVICE, &body))?.done()?;
        let addresses = answer.texts("Namespace")?.into_iter().zip(answer.texts("XAddr")?);
        let base = self.proxy.url("");
        let mut found = addresses.filter(|(listed, _)| listed == namespace);
        Ok(found.next().map(|(_, address)| address.strip_prefix(&base).unwrap_or(&address).to_owned()))
    }

    /// Creates [`OPERATOR`] and [`VIEWER`].
    pub(crate) fn create_users(&self) -> Result<()> {
        let user = |(name, password): (&str, &str), level: &str| {
            let tt = "xmlns=\"http://www.onvif.org/ver10/schema\"";
            format!(
                "<User><Username {tt}>{name}</Username><Password {tt}>{password}</Password><UserLevel {tt}>{level}</UserLevel></User>"
            )
        };
        let users = user(OPERATOR, "Operator") + &user(VIEWER, "User");
        let body = format!("<CreateUsers xmlns=\"{TDS}\">{users}</CreateUsers>");
        self.ask(Request::body(DEVICE, &body))?.done()?;
        Ok(())
    }
}
